import Configuration
import Tensors

extension CatalogEntry {
  /// Papers on machine learning and their citations, as split by Z. Yang, W. Cohen, R. Salakhutdinov (2016).
  package static let cora = Planetoid(
    name: "cora", nodes: 2708, features: 1433, classes: 7,
    summary: "2,708 papers, 5,278 citations between them, 7 classes: one graph"
  ).entry

  /// Papers on computer science and their citations, 48 of them neither citing nor cited.
  package static let citeseer = Planetoid(
    name: "citeseer", nodes: 3327, features: 3703, classes: 6,
    summary: "3,327 papers, 4,552 citations between them, 6 classes: one graph"
  ).entry
}

/// A citation graph of Planetoid in four texts, a line a node, as `launch/planetoid-texts` makes them of the published pickles:
/// `NAME.features.txt` (the features that are 1), `NAME.labels.txt` (a class, or −1), `NAME.split.txt` (train, val, test, none)
/// and `NAME.edges.txt` (two nodes a line).
///
/// Nodes are in Planetoid's order, features 0 or 1.  By default each node's features are divided by their sum, as T. Kipf and
/// M. Welling (2017) train on them; Planetoid's own code takes them as they are (`scale: none`).
struct Planetoid: Sendable {
  let name: String
  let nodes: Int
  let features: Int
  let classes: Int
  let summary: String

  fileprivate var entry: CatalogEntry {
    CatalogEntry(
      name: name, summary: summary, licence: "MIT (the files); cite Yang et al. 2016", folder: "planetoid",
      remedy: "launch/planetoid-texts FOLDER", hasValidation: true,
      contents: { file("edges", in: $0) == nil ? nil : "\(nodes) nodes" }
    ) { (options, _) throws(ConfigurationError) in
      let choice = try GraphOptions(&options, given: "public", isRandom: false, scale: .sum)
      return { (folder, seed) throws(DataError) in try choice.parts(try contents(folder), seed: seed) }
    }
  }

  private func file(_ part: String, in folder: String) -> String? {
    let names = ["\(name).\(part).txt", "\(name).\(part).txt.gz"]
    return firstFile(names, in: folder) ?? firstFile(names, in: "\(folder)/plain")
  }

  private func lines(_ part: String, _ folder: String) throws(DataError) -> LineFile {
    guard let path = file(part, in: folder) else {
      throw DataError(.missing, "\(folder) does not hold \(name).\(part).txt")
    }
    return try LineFile(path)
  }

  private func contents(_ folder: String) throws(DataError) -> GraphContents {
    let edges = try lines("edges", folder).edges(nodes: nodes, directed: false)
    return GraphContents(
      path: folder, features: try ones(try lines("features", folder)), width: features,
      labels: try labels(try lines("labels", folder)), classes: classes, graph: Graph(nodes: nodes, edges: edges),
      sets: try lines("split", folder).sets(nodes: nodes))
  }

  private func ones(_ file: LineFile) throws(DataError) -> [Float] {
    try file.requireLines(nodes)
    var rows = [Float](repeating: 0, count: nodes * features)
    for line in file.lines.indices {
      for field in file.lines[line].indices {
        let feature = try file.integer(line, field)
        guard feature >= 0, feature < features else {
          throw file.malformed(line, "feature \(feature) is not one of the \(features) features, 0 to \(features - 1)")
        }
        rows[line * features + feature] = 1
      }
    }
    return rows
  }

  private func labels(_ file: LineFile) throws(DataError) -> [Int32] {
    try file.requireLines(nodes)
    var labels: [Int32] = []
    for line in file.lines.indices {
      guard file.lines[line].count == 1 else {
        throw file.malformed(line, "\(file.lines[line].count) fields, and a node has one class")
      }
      let label = try file.integer(line, 0)
      guard label >= -1, label < classes else {
        throw file.malformed(line, "class \(label) is not one of the \(classes) classes, nor -1 for none")
      }
      labels.append(Int32(label))
    }
    return labels
  }
}
