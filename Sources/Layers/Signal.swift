import Tensors

/// What flows between layers: the shape of one sample, channels last, and whether it holds numbers or tokens.
public struct Signal: Hashable, Sendable, CustomStringConvertible {
  /// Shape of one sample: `[height, width, channels]`, `[time, features]`, `[features]`, or `[time]` for tokens.
  public let shape: Shape
  /// Numbers unless this is set: tokens of 0..<vocabulary.
  public let vocabulary: Int?

  /// Numbers of a shape.
  public init(_ shape: Shape) {
    self.shape = shape
    vocabulary = nil
  }

  /// Tokens of a vocabulary.
  public init(tokens shape: Shape, vocabulary: Int) {
    self.shape = shape
    self.vocabulary = vocabulary
  }

  /// For example `28×28×1`, or `64 tokens`.
  public var description: String {
    let extents = shape.dimensions.map(String.init).joined(separator: "×")
    return vocabulary == nil ? (extents.isEmpty ? "1" : extents) : "\(extents) tokens"
  }
}
