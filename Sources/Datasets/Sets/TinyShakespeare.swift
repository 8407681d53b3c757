import Configuration

extension CatalogEntry {
  /// 40,000 lines of Shakespeare (A. Karpathy 2015).
  package static let tinyShakespeare = CatalogEntry(
    name: "tinyshakespeare",
    summary: "1,115,394 characters of Shakespeare, 65 symbols; the last tenth is the test part",
    licence: "public domain",
    files: [
      PublishedFile(
        name: "input.txt",
        address: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        checksum: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")
    ], contents: { firstFile(["input.txt"], in: $0) == nil ? nil : "1,115,394 characters" }
  ) { (options, _) throws(ConfigurationError) in
    let text = try TextOptions(&options, test: nil)
    let isBySpeaker = try options.flag(
      "speakers", default: false,
      "read by_speaker.json, what each of 299 speakers says, without headings: clients of a natural partition")
    return { (folder, seed) throws(DataError) in
      if isBySpeaker { return try ShakespeareSpeakers.parts(folder, text, seed: seed) }
      guard let path = firstFile(["input.txt"], in: folder) else {
        throw DataError(.missing, "\(folder) does not hold input.txt")
      }
      return try text.parts(path, seed: seed)
    }
  }

  /// Any UTF-8 text.
  package static let text = CatalogEntry(
    name: "text", summary: "a UTF-8 text, plain or .gz, by character"
  ) { (options, _) throws(ConfigurationError) in
    let text = try TextOptions(&options, test: 0.1)
    return { (path, seed) throws(DataError) in try text.parts(path, seed: seed) }
  }
}
