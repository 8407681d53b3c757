import Tensors

/// Consecutive scalars of a tensor as they are to be written, beside the model's: what an optimizer or a strategy remembers.
///
/// Which rank writes which scalars is nobody's business afterwards: a reader asks for a name and a range.
public struct CheckpointPart {
  /// What the tensor is called: `optimizer/fc1.weight.momentum`, `strategy/shard3.residual`.
  public let name: String
  /// The whole tensor's shape.
  public let shape: Shape
  /// The scalars of it that these are, row-major.
  public let range: Range<Int>
  /// Where they lie; they stay there until they are written.
  public let floats: UnsafePointer<Float>

  /// Tensors that nobody but the owner of a run may read: whoever knows the key takes the noise of `federated.privacy` away.
  static let secrets: Set<String> = ["setting/noise-key"]

  /// Some scalars of a tensor; nil for all of them.
  public init(name: String, shape: Shape, range: Range<Int>? = nil, floats: UnsafePointer<Float>) {
    self.name = name
    self.shape = shape
    self.range = range ?? 0..<shape.count
    self.floats = floats
    precondition(
      self.range.lowerBound >= 0 && self.range.upperBound <= shape.count, "\(name): \(self.range) of \(shape)")
  }

  /// Those of its scalars that lie in a range of the whole tensor; nil where there are none.
  func clamped(to range: Range<Int>) -> CheckpointPart? {
    let kept = self.range.clamped(to: range)
    guard !kept.isEmpty else { return nil }
    return CheckpointPart(
      name: name, shape: shape, range: kept, floats: floats + (kept.lowerBound - self.range.lowerBound))
  }

  /// The same scalars in other memory.
  func moved(to floats: UnsafePointer<Float>) -> CheckpointPart {
    CheckpointPart(name: name, shape: shape, range: range, floats: floats)
  }
}

/// Where the scalars of a part lie in a checkpoint.
public struct CheckpointPiece: Codable, Sendable, Hashable {
  /// What the tensor is called.
  public let name: String
  /// The whole tensor's shape.
  public let shape: [Int]
  /// The first scalar of the piece, row-major.
  public let first: Int
  /// Its scalars.
  public let count: Int
  /// The file it lies in.
  public let file: String

  /// The tensor of that file: its name, with the range behind it where it is not whole.
  public let tensor: String

  /// The scalars that it holds.
  public var range: Range<Int> { first..<first + count }
  /// Whether it holds all of the tensor.
  var isWhole: Bool { first == 0 && count == shape.reduce(1, *) }

  package init(_ part: CheckpointPart, in file: String) {
    name = part.name
    shape = part.shape.dimensions
    first = part.range.lowerBound
    count = part.range.count
    self.file = file
    let isWhole = count == part.shape.count
    tensor = isWhole ? name : "\(name)[\(first):\(first + count)]"
  }

  /// A whole tensor that is called otherwise in its file.
  init(_ name: String, _ shape: Shape, in file: String, as tensor: String) {
    self.name = name
    self.shape = shape.dimensions
    first = 0
    count = shape.count
    self.file = file
    self.tensor = tensor
  }

  var object: JSONObject {
    [
      "name": .text(name), "shape": .list(shape.map { .integer($0) }), "first": .integer(first),
      "count": .integer(count), "file": .text(file), "tensor": .text(tensor),
    ]
  }

  /// Whether it can be a piece of anything.
  var isSound: Bool {
    var whole = 1
    for extent in shape {
      let (product, overflow) = whole.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow, product < 1 << 48 else { return false }
      whole = product
    }
    return first >= 0 && count >= 0 && first <= whole && count <= whole - first
  }
}
