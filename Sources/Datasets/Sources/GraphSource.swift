import Tensors

/// A graph as one sample: features of all nodes `[nodes, features]`, a class for each node of the set, and −1 for all others.
public final class GraphSource: DataSource {
  /// Shape of the one input.
  public let inputShape: Shape
  /// `[nodes]`
  public let targetShape: Shape
  /// Classes, or −1 for nodes of other sets and without a class.
  public let targetType: TargetType
  /// Nodes of the set.
  public let termsPerSample: Int
  /// The edges.
  public let graph: Graph?
  private let features: ByteBlock
  private let targets: [Int32]

  /// A set of nodes, those whose target is not −1; `features` holds Float32 rows, one a node.
  init(features: ByteBlock, _ graph: Graph, targets: [Int32], classes: Int) {
    precondition(targets.count == graph.nodes, "\(targets.count) targets for \(graph.nodes) nodes")
    precondition(features.count % (4 * graph.nodes) == 0, "\(features.count) bytes for \(graph.nodes) nodes")
    inputShape = [graph.nodes, features.count / (4 * graph.nodes)]
    targetShape = [graph.nodes]
    targetType = .classes(classes)
    termsPerSample = targets.count { $0 >= 0 }
    self.graph = graph
    self.features = features
    self.targets = targets
  }

  /// The graph is one sample.
  public var count: Int { 1 }
  /// Numbers.
  public var inputType: InputType { .float32 }

  /// Writes the graph's features and the classes of the set.
  public func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets target: UnsafeMutableRawPointer
  ) {
    precondition(sample == 0, "sample \(sample) of a graph, which is one")
    input.copyMemory(from: features.base, byteCount: features.count)
    targets.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { target.copyMemory(from: base, byteCount: bytes.count) }
    }
  }

  /// Nodes have classes, the graph has none.
  public func label(_ sample: Int) -> Int? { nil }

  /// Feeds shapes, targets, edges and features to a checksum.
  public func fingerprint(_ checksum: inout Checksum) {
    checksum.update(inputShape)
    checksum.update(targets)
    for edge in graph?.edges ?? [] { checksum.update([edge.source, edge.target]) }
    checksum.update(features.bytes)
  }
}
