/// Rows of text fields (RFC 4180): separated by one character, quoted with `"` where a field holds a separator, a line
/// break or a quote (which is doubled).  Spaces around unquoted fields are dropped, empty lines skipped.
package struct CSVFile {
  /// One row and where it began.
  package struct Row {
    package let line: Int
    package let fields: [String]
  }

  let path: String
  /// Names of the columns; nil without a header line.
  package let header: [String]?
  package let rows: [Row]

  /// Fields a row has.
  var width: Int { header?.count ?? rows.first?.fields.count ?? 0 }

  /// Reads a whole file, plain or gzip.  `header` nil: the first line is one when none of its fields is a number.
  package init(_ path: String, separator: UInt8 = UInt8(ascii: ","), header: Bool? = nil) throws(DataError) {
    self.path = path
    let file = try ByteReader.whole(path)
    var rows = try CSVFile.parse(file, path: path, separator: separator)
    guard let first = rows.first else { throw DataError.malformed(path, "there are no rows") }
    if header ?? first.fields.allSatisfy({ Double($0) == nil && !$0.isEmpty }) {
      self.header = first.fields
      rows.removeFirst()
    } else {
      self.header = nil
    }
    for row in rows where row.fields.count != first.fields.count {
      throw DataError.malformed(
        "\(path):\(row.line)", "\(row.fields.count) fields where line \(first.line) has \(first.fields.count)")
    }
    guard !rows.isEmpty else { throw DataError.malformed(path, "there are no rows below the header") }
    self.rows = rows
  }

  private static func parse(_ file: ByteBlock, path: String, separator: UInt8) throws(DataError) -> [Row] {
    let bytes = file.bytes
    let end = bytes.count
    let quote = UInt8(ascii: "\"")
    let newline = UInt8(ascii: "\n")
    var rows: [Row] = []
    var fields: [String] = []
    var line = 1
    var rowLine = 1
    var i = 0
    if end >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { i = 3 }

    func blank(_ byte: UInt8) -> Bool { (byte == 0x20 || byte == 0x09 || byte == 0x0D) && byte != separator }

    while i < end {
      while i < end, blank(bytes[i]) { i += 1 }
      var field: [UInt8] = []
      if i < end, bytes[i] == quote {
        let opened = line
        i += 1
        while true {
          guard i < end else { throw DataError.malformed("\(path):\(opened)", "a quoted field is never closed") }
          if bytes[i] == quote {
            if i + 1 < end, bytes[i + 1] == quote {
              field.append(quote)
              i += 2
              continue
            }
            i += 1
            break
          }
          if bytes[i] == newline { line += 1 }
          field.append(bytes[i])
          i += 1
        }
        while i < end, blank(bytes[i]) { i += 1 }
        guard i == end || bytes[i] == separator || bytes[i] == newline else {
          throw DataError.malformed("\(path):\(line)", "text follows the closing quote of a field")
        }
      } else {
        while i < end, bytes[i] != separator, bytes[i] != newline {
          guard bytes[i] != 0 else { throw DataError.malformed("\(path):\(line)", "a zero byte: this is no text") }
          field.append(bytes[i])
          i += 1
        }
        while let last = field.last, blank(last) { field.removeLast() }
      }
      guard let text = String(validating: field, as: UTF8.self) else {
        throw DataError.malformed("\(path):\(line)", "a field is not UTF-8 text")
      }
      fields.append(text)
      let separated = i < end && bytes[i] == separator
      if separated {
        i += 1
        if i < end { continue }
        fields.append("")
      }
      // The row ends here, at a line break or at the end of the file.
      if !(fields.count == 1 && fields[0].isEmpty) { rows.append(Row(line: rowLine, fields: fields)) }
      fields = []
      if i < end {
        i += 1
        line += 1
      }
      rowLine = line
    }
    return rows
  }
}
