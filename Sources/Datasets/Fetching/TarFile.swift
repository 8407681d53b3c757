/// Takes files out of a tar archive (POSIX ustar), plain or gzip.
package enum TarFile {
  /// Writes the named members, looked up by the last part of their path, into a folder; a missing one is an error.
  package static func extract(_ path: String, _ members: [String], into folder: String) throws(DataError) {
    let reader = try ByteReader(path)
    var left = Set(members)
    while !left.isEmpty {
      let header = try reader.exactly(512, "an archive member")
      if header.allSatisfy({ $0 == 0 }) { break }
      guard let stated = octal(header[148..<156]), stated == checksum(header), let size = octal(header[124..<136]),
        size <= 1 << 32
      else { throw DataError.malformed(path, "not a tar archive, or a damaged one; get the file again") }
      let name = String(decoding: header[..<100].prefix { $0 != 0 }, as: UTF8.self)
      let last = name.split(separator: "/").last.map(String.init) ?? ""
      let contents = try reader.block(size, "archive member \(last)")
      _ = try reader.exactly((512 - size % 512) % 512, "the padding of archive member \(last)")
      // Only plain files under a name we asked for: nothing in the archive decides a path.
      guard header[156] == 0x30 || header[156] == 0, left.remove(last) != nil else { continue }
      let file = try FileWriter("\(folder)/\(last)")
      try file.write(contents.bytes)
      try file.commit()
    }
    guard left.isEmpty else {
      throw DataError.malformed(path, "the archive lacks \(left.sorted().joined(separator: ", "))")
    }
  }

  private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = String(decoding: field.filter { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
    return digits.isEmpty ? nil : Int(digits, radix: 8)
  }

  /// The sum of all header bytes, those of the sum itself taken as spaces.
  private static func checksum(_ header: [UInt8]) -> Int {
    var sum = 0
    for (i, byte) in header.enumerated() { sum += (148..<156).contains(i) ? 0x20 : Int(byte) }
    return sum
  }
}
