import Tensors

/// One tensor of a safetensors file.
public struct TensorEntry: Sendable, Hashable {
  /// Type of its scalars.
  public let type: ScalarType
  /// Extents, outermost first.
  public let shape: Shape
  /// Its bytes, counted from the end of the header.
  public let range: Range<Int>

  /// Describes a tensor.
  public init(type: ScalarType, shape: Shape, range: Range<Int>) {
    self.type = type
    self.shape = shape
    self.range = range
  }
}
