import Configuration
import Tensors

/// A graph as files have it, before it is cut into sets of nodes.
struct GraphContents {
  let path: String
  /// `[nodes, width]`
  let features: [Float]
  let width: Int
  /// A class for each node, −1 for none.
  let labels: [Int32]
  let classes: Int
  let graph: Graph
  /// The set that files give each node; empty where they give none.
  let sets: [NodeSet]
}

/// The options of graphs, and how nodes become sets.
struct GraphOptions: Sendable {
  /// What features of a node are divided by.
  enum Scale: String, CaseIterable, Sendable { case sum, length, none }

  private let isRandom: Bool
  /// Whether the files' own split is asked for.
  var readsSets: Bool { !isRandom }
  private let fold: Int
  private let scale: Scale

  /// Test folds of a random split: a fifth of the nodes each.
  private static let folds = 5

  /// Reads the keys; `given` names the split that files bring.
  init(_ options: inout Options, given: String, isRandom: Bool, scale: Scale) throws(ConfigurationError) {
    let split = try options.choice(
      "split", of: [given, "random"], default: isRandom ? "random" : given,
      "which nodes train, validate and test: those that the files say, or by seed 0.64, 0.16 and 0.2 of the nodes with a class"
    )
    self.isRandom = split == "random"
    fold = try options.integer(
      "fold", default: 0, in: 0...GraphOptions.folds - 1,
      "which fifth of the nodes tests in a random split; the five are disjoint")
    try options.require(
      self.isRandom || fold == 0, key: "fold", "data.fold is \(fold), but only `split: random` has folds")
    let name = try options.choice(
      "scale", of: Scale.allCases.map(\.rawValue), default: scale.rawValue,
      "what each node's features are divided by: the sum of their magnitudes, their length, or nothing")
    self.scale = Scale(rawValue: name) ?? scale
  }

  /// The sets of a graph, which share its features and edges.
  func parts(_ contents: GraphContents, seed: UInt64) throws(DataError) -> Parts {
    let sets = isRandom ? drawn(contents.labels, seed: seed) : contents.sets
    let features = scaled(contents)
    func source(_ set: NodeSet) -> GraphSource {
      let targets = zip(contents.labels, sets).map { $1 == set ? $0 : -1 }
      return GraphSource(features: features, contents.graph, targets: targets, classes: contents.classes)
    }
    let (training, validation, test) = (source(.training), source(.validation), source(.test))
    for (name, set) in [("train", training), ("test", test)] where set.termsPerSample == 0 {
      throw DataError(
        .unsuitable, "\(contents.path): no node with a class is there to \(name) on; choose another split")
    }
    var parts = Parts(training: training, test: test)
    parts.validation = validation.termsPerSample > 0 ? validation : nil
    parts.detail =
      "\(contents.graph.nodes) nodes, \(contents.graph.edgeCount) directed edges; \(training.termsPerSample) nodes train, "
      + "\(validation.termsPerSample) validate, \(test.termsPerSample) test"
    return parts
  }

  /// By a permutation of the nodes with a class: the fold's fifth tests, a fifth of the others validates.
  private func drawn(_ labels: [Int32], seed: UInt64) -> [NodeSet] {
    let nodes = labels.indices.filter { labels[$0] >= 0 }
    var stream = RandomStream(seed: seed, .split, layer: 3)
    let order = stream.permutation(nodes.count).map { nodes[Int($0)] }
    let test = fold * order.count / GraphOptions.folds..<(fold + 1) * order.count / GraphOptions.folds
    let rest = order[..<test.lowerBound] + order[test.upperBound...]
    var sets = [NodeSet](repeating: .none, count: labels.count)
    for node in order[test] { sets[node] = .test }
    for (place, node) in rest.enumerated() { sets[node] = place < rest.count / 5 ? .validation : .training }
    return sets
  }

  /// Features as they are read; a row of zeros stays one.
  private func scaled(_ contents: GraphContents) -> ByteBlock {
    ByteBlock.make(4 * contents.features.count) { target in
      let output = target.bindMemory(to: Float.self)
      for first in stride(from: 0, to: contents.features.count, by: contents.width) {
        let row = contents.features[first..<first + contents.width]
        let size =
          switch scale {
          case .none: 1.0
          case .sum: row.reduce(0.0) { $0 + Double(abs($1)) }
          case .length: row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
          }
        for (place, feature) in row.enumerated() {
          output[first + place] = size > 0 ? Float(Double(feature) / size) : 0
        }
      }
    }
  }
}
