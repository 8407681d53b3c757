import Foundation

/// Downloads published data sets into the cache.
///
/// The transfer itself is left to the program `curl`: linking a HTTP library would load thirty more libraries into every
/// rank (9 ms each time), for a verb that is run once.  Every file is checked against its SHA-256 before it gets its name.
public struct Fetcher: Sendable {
  /// The folder that gets a folder per set.
  public let cache: String
  /// Replaces everything but the file name of each published address.
  public let baseAddress: String?
  /// Seconds without any progress before a download is given up.
  public let patience: Int

  /// Downloads into `cache`, from `baseAddress` if that is given.
  public init(cache: String = SearchPlaces.cache, baseAddress: String? = nil, patience: Int = 60) {
    self.cache = cache
    self.baseAddress = baseAddress
    self.patience = patience
  }

  /// Downloads what is missing of a set and returns its folder; `report` is told each file before its download.
  public func fetch(_ name: String, report: (String) -> Void = { _ in }) throws(DataError) -> String {
    guard let entry = Catalog.set(name) else {
      throw DataError(
        .missing, "no data set is called \(name); there are \(Catalog.sets.map(\.name).joined(separator: ", "))")
    }
    if entry.isBuiltIn { throw DataError(.unsuitable, "\(name) is built in; there is nothing to fetch") }
    guard !entry.files.isEmpty else {
      throw DataError(.unsuitable, "\(name) is not published in the form that is read; run `\(entry.remedy)`")
    }
    let folder = "\(cache)/\(name)"
    try fetch(entry.files, into: folder, report: report)
    return folder
  }

  /// Downloads files into a folder, which is made if need be; files that are there with the right checksum stay.
  public func fetch(_ files: [PublishedFile], into folder: String, report: (String) -> Void = { _ in })
    throws(DataError)
  {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw DataError(.unwritable, "cannot make the folder \(folder): \(error.localizedDescription)")
    }
    for file in files {
      let path = "\(folder)/\(file.name)"
      if file.members.isEmpty {
        if FileManager.default.fileExists(atPath: path), try Checksum.file(path) == file.checksum { continue }
      } else if file.members.allSatisfy({ FileManager.default.fileExists(atPath: "\(folder)/\($0)") }) {
        // Members appear only after the checksum of their archive was right.
        continue
      }
      try fetch(file, to: path, in: folder, report: report)
    }
  }

  private func fetch(
    _ file: PublishedFile, to path: String, in folder: String, report: (String) -> Void
  ) throws(DataError) {
    let address = baseAddress.map { "\($0)/\(file.name)" } ?? file.address
    let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).partial"
    defer { unlink(temporary) }
    report("fetching \(address)")
    try download(address, to: temporary, in: folder)
    let found = try Checksum.file(temporary)
    guard found == file.checksum else {
      throw DataError(
        .checksum,
        "\(address) has SHA-256 \(found) in place of \(file.checksum); nothing was kept, so try again or another mirror"
      )
    }
    if file.members.isEmpty {
      guard rename(temporary, path) == 0 else { throw FileWriter.refused(path) }
    } else {
      try TarFile.extract(temporary, file.members, into: folder)
    }
  }

  private func download(_ address: String, to path: String, in folder: String) throws(DataError) {
    let log = "\(path).log"
    defer { unlink(log) }
    let arguments = [
      "curl", "--fail", "--location", "--silent", "--show-error", "--proto", "=http,https", "--connect-timeout",
      "\(patience)", "--speed-limit", "1", "--speed-time", "\(patience)", "--output", path, "--url", address,
    ]
    guard let process = Program.start(arguments, messages: log) else {
      throw DataError(
        .network,
        "cannot start curl, which downloads (\(String(cString: strerror(errno)))); install it (apt-get install curl)")
    }
    let status = Program.wait(process)
    guard status != 0 else { return }
    let text = FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let line = text.split(separator: "\n").last.map(String.init) ?? "status \(status)"
    let byHand = "download it elsewhere into \(folder), or into a folder that NNDIST_DATA names"
    switch status {
    // The numbers are curl's: unresolved host or proxy, refused, timed out.
    case 5, 6, 7, 28:
      throw DataError(.network, "cannot reach \(address) (\(line)); is this machine offline? \(byHand)")
    case 18, 56:
      throw DataError(.network, "\(address) broke off (\(line)); nothing was kept, so try again")
    case 127:
      throw DataError(.network, "curl is not installed; install it (apt-get install curl) or \(byHand)")
    default:
      throw DataError(.network, "\(address) was refused (\(line)); \(byHand)")
    }
  }
}
