import Configuration

/// A text whose lines are objects, one each (JSON Lines); empty lines are skipped.
package struct JSONLinesFile {
  /// The objects with the numbers of their lines, from 1.
  package let rows: [(line: Int, object: Node)]

  /// Reads a whole file, plain or gzip.  Throws `.malformed`, naming the line, for what is no object.
  package init(_ path: String) throws(DataError) {
    let file = try ByteReader.whole(path)
    var rows: [(line: Int, object: Node)] = []
    var line = 0
    for bytes in file.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      line += 1
      let blanks: Set<UInt8> = [0x20, 0x09, 0x0D]
      if bytes.allSatisfy(blanks.contains) { continue }
      let place = "\(path):\(line)"
      do throws(ConfigurationError) {
        let node = try Node.parse(Array(bytes), file: "")
        guard node.entries != nil else { throw ConfigurationError("\(node.found) where an object is expected") }
        rows.append((line, node))
      } catch {
        throw DataError.malformed(place, error.message)
      }
    }
    guard !rows.isEmpty else { throw DataError.malformed(path, "there are no rows") }
    self.rows = rows
  }
}
