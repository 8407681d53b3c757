import Tensors

/// Lines of a text, plain or gzip, each in fields between spaces, tabs or commas.  Lines without fields stay.
struct LineFile {
  let path: String
  /// The fields of each line, from the first.
  let lines: [[String]]

  /// Reads a whole file.
  init(_ path: String) throws(DataError) {
    self.path = path
    let file = try ByteReader.whole(path)
    guard let text = String(validating: file.bytes, as: UTF8.self) else {
      throw DataError.malformed(path, "not UTF-8 text")
    }
    func isBetween(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x2C || byte == 0x0D }
    var lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
      line.split(whereSeparator: isBetween).map { String(decoding: $0, as: UTF8.self) }
    }
    // What follows the last line break is no line.
    if lines.last?.isEmpty == true { lines.removeLast() }
    self.lines = lines
  }

  /// The field of a line as a whole number.
  func integer(_ line: Int, _ field: Int) throws(DataError) -> Int {
    guard let number = Int(lines[line][field]) else {
      throw malformed(line, "`\(lines[line][field])` is not a whole number")
    }
    return number
  }

  /// An error of a line, which messages count from 1.
  func malformed(_ line: Int, _ fault: String) -> DataError { DataError.malformed("\(path):\(line + 1)", fault) }

  /// Throws unless there is a line for every node.
  func requireLines(_ nodes: Int) throws(DataError) {
    guard lines.count == nodes else {
      throw DataError.malformed(path, "\(lines.count) lines for \(nodes) nodes; get the file again")
    }
  }

  /// The edges that lines of two nodes name, numbered from 0; a first line of words is a header, empty lines count for nothing.
  /// Undirected edges are two, one each way.
  func edges(nodes: Int, directed: Bool) throws(DataError) -> [Graph.Edge] {
    var edges: [Graph.Edge] = []
    for line in lines.indices where !lines[line].isEmpty {
      if line == 0, lines[0].allSatisfy({ Double($0) == nil }) { continue }
      guard lines[line].count == 2 else {
        throw malformed(line, "\(lines[line].count) fields, and an edge is two nodes: source, target")
      }
      var ends: [Int32] = []
      for field in 0..<2 {
        let node = try integer(line, field)
        guard node >= 0, node < nodes else {
          throw malformed(line, "node \(node) is not one of the \(nodes) nodes, 0 to \(nodes - 1)")
        }
        ends.append(Int32(node))
      }
      edges.append(Graph.Edge(from: ends[0], to: ends[1]))
      if !directed { edges.append(Graph.Edge(from: ends[1], to: ends[0])) }
    }
    return edges
  }

  /// The set of each node: `train`, `val` or `validation`, `test`, or `none`, one a line.
  func sets(nodes: Int) throws(DataError) -> [NodeSet] {
    try requireLines(nodes)
    var sets: [NodeSet] = []
    for line in lines.indices {
      guard lines[line].count == 1, let set = NodeSet(lines[line][0]) else {
        throw malformed(line, "`\(lines[line].joined(separator: " "))` is no set; expected train, val, test or none")
      }
      sets.append(set)
    }
    return sets
  }
}

/// Which set a node belongs to.
enum NodeSet: Sendable {
  case training, validation, test, none

  init?(_ word: String) {
    switch word {
    case "train": self = .training
    case "val", "validation": self = .validation
    case "test": self = .test
    case "none": self = .none
    default: return nil
    }
  }
}
