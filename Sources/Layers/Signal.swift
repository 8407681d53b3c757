import Tensors

/// What flows between layers: the shape of one sample, channels last, whether it holds numbers or tokens, and the graph between
/// its rows where these are nodes of one.
public struct Signal: Hashable, Sendable, CustomStringConvertible {
  /// Shape of one sample: `[height, width, channels]`, `[time, features]`, `[nodes, features]`, `[features]`, or `[time]`
  /// for tokens.
  public let shape: Shape
  /// Numbers unless this is set: tokens of 0..<vocabulary.
  public let vocabulary: Int?
  /// The edges between the rows; nil where these are no nodes.
  public let graph: Graph?

  /// Numbers of a shape, which is `[nodes, features]` where there is a graph.
  public init(_ shape: Shape, graph: Graph? = nil) {
    precondition(
      graph.map { shape.rank == 2 && shape[0] == $0.nodes } ?? true, "a graph of other nodes than the rows of \(shape)")
    self.shape = shape
    self.graph = graph
    vocabulary = nil
  }

  /// Tokens of a vocabulary.
  public init(tokens shape: Shape, vocabulary: Int) {
    self.shape = shape
    self.vocabulary = vocabulary
    graph = nil
  }

  /// Another number of features in each row: the last extent replaced.
  public func with(features: Int) -> Signal {
    Signal(Shape(shape.dimensions.dropLast() + [features]), graph: graph)
  }

  /// For example `28×28×1`, or `64 tokens`.
  public var description: String {
    let extents = shape.dimensions.map(String.init).joined(separator: "×")
    return vocabulary == nil ? (extents.isEmpty ? "1" : extents) : "\(extents) tokens"
  }
}
