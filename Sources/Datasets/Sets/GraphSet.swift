import Configuration
import Tensors

extension CatalogEntry {
  /// A graph in a folder of own files.
  package static let graph = CatalogEntry(
    name: "graph",
    summary: "a folder of nodes.csv (or x.npy and y.npy), edges.csv, and split.txt where the split is given: one graph",
    hasValidation: true
  ) { (options, _) throws(ConfigurationError) in
    let set = try GraphSet(&options)
    return { (folder, seed) throws(DataError) in try set.parts(folder, seed: seed) }
  }
}

/// A graph of own files.  `nodes.csv` has a row a node, numbers and the class, which may be empty or −1; `edges.csv` a row an
/// edge, source and target, which are numbers of rows from 0; `split.txt` a line a node.
///
/// Edges that are there twice count once, and edges of a node to itself not at all: layers add them where they want them.
struct GraphSet: Sendable {
  private let label: String
  private let isDirected: Bool
  private let options: GraphOptions

  init(_ options: inout Options) throws(ConfigurationError) {
    label = try options.text(
      "label", default: "-1", "the column of nodes.csv with the class: its name or number; empty or -1 is no class")
    isDirected = try options.flag(
      "directed", default: false, "whether an edge leads from its first node to its second only")
    self.options = try GraphOptions(&options, given: "given", isRandom: true, scale: .none)
  }

  func parts(_ folder: String, seed: UInt64) throws(DataError) -> Parts {
    let nodes = try nodes(folder)
    let count = nodes.labels.count
    let edges = try LineFile(try path("edges.csv", folder)).edges(nodes: count, directed: isDirected)
    var sets: [NodeSet] = []
    if options.readsSets { sets = try LineFile(try path("split.txt", folder)).sets(nodes: count) }
    let contents = GraphContents(
      path: folder, features: nodes.features, width: nodes.features.count / count, labels: nodes.labels,
      classes: nodes.classes, graph: Graph(nodes: count, edges: edges), sets: sets)
    var parts = try options.parts(contents, seed: seed)
    parts.classNames = nodes.names
    return parts
  }

  private struct Nodes {
    let features: [Float]
    let labels: [Int32]
    let classes: Int
    let names: [String]
  }

  private func path(_ name: String, _ folder: String) throws(DataError) -> String {
    guard let path = firstFile([name, "\(name).gz"], in: folder) else {
      throw DataError(.missing, "\(folder) does not hold \(name)")
    }
    return path
  }

  private func nodes(_ folder: String) throws(DataError) -> Nodes {
    let features = firstFile(["x.npy", "x.npy.gz"], in: folder)
    guard let features else { return try rows(try CSVFile(try path("nodes.csv", folder))) }
    return try arrays(features, try path("y.npy", folder))
  }

  /// Rows of numbers with a class among them.
  private func rows(_ file: CSVFile) throws(DataError) -> Nodes {
    let column = try CSVTable().column(label, of: file)
    guard file.width > 1 else { throw DataError(.unsuitable, "\(file.path) has no column beside the class") }
    var numbers: [Float] = []
    for row in file.rows {
      for index in row.fields.indices where index != column {
        guard let number = Float(row.fields[index]), number.isFinite else {
          let name = file.header?[index] ?? "\(index)"
          throw DataError.malformed(
            "\(file.path):\(row.line)", "column \(name): `\(row.fields[index])` is not a finite number")
        }
        numbers.append(number)
      }
    }
    let texts = file.rows.map { row in
      let text = row.fields[column]
      return text == "-1" || CSVTable.missing.contains(text) ? nil : text
    }
    let names = CSVTable.classNames(texts.compactMap { $0 })
    guard names.count > 0, names.count <= 65536 else {
      throw DataError(.unsuitable, "\(file.path): \(names.count) classes; 1 to 65,536 are taken")
    }
    let places = Dictionary(uniqueKeysWithValues: zip(names, Int32(0)...))
    return Nodes(
      features: numbers, labels: texts.map { $0.flatMap { places[$0] } ?? -1 }, classes: names.count, names: names)
  }

  /// `[nodes, features]` numbers and `[nodes]` whole ones.
  private func arrays(_ features: String, _ path: String) throws(DataError) -> Nodes {
    let (x, y) = (try NPYFile(features), try NPYFile(path))
    guard x.shape.rank == 2, x.shape.count > 0, let labels = y.integers(), y.shape == [x.shape[0]] else {
      throw DataError.malformed(
        path, "\(y.shape) of \(y.type.rawValue) is not a whole number for each row of \(features), \(x.shape)")
    }
    let numbers = x.floats()
    if let place = numbers.firstIndex(where: { !$0.isFinite }) {
      throw DataError.malformed(features, "row \(place / x.shape[1]) holds a number that is not finite")
    }
    let limit = Int(labels.max() ?? 0) + 1
    if let node = labels.firstIndex(where: { $0 < -1 }) {
      throw DataError.malformed(path, "class \(labels[node]) of node \(node) is below -1, which is no class")
    }
    guard limit > 0, limit <= 65536 else {
      throw DataError(.unsuitable, "\(path): \(limit) classes; 1 to 65,536 are taken")
    }
    return Nodes(features: numbers, labels: labels, classes: limit, names: [])
  }
}
