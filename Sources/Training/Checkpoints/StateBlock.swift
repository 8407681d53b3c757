import Tensors

/// A named block of what an optimizer remembers, to be written or restored: scalar i belongs to scalar
/// `range.lowerBound + i` of the parameter block.
public struct StateBlock {
  /// As the update rule names it: `momentum`.
  public let name: String
  /// Scalars of the parameter block it stands for: all of them, or a rank's slice.
  public let range: Range<Int>
  /// As many scalars as the range.
  public let storage: Storage

  /// A block with its name and the range it stands for; nil means it begins at the first parameter.
  public init(name: String, range: Range<Int>? = nil, storage: Storage) {
    self.name = name
    self.range = range ?? 0..<storage.count
    self.storage = storage
    precondition(self.range.count == storage.count, "state \(name): \(storage.count) scalars for \(self.range)")
  }
}

extension StateBlock {
  /// The block as parts of tensors, one a parameter: `optimizer/<parameter>.<state>` with the parameter's shape.
  func parts(_ layout: ParameterLayout) -> [CheckpointPart] {
    layout.parameters.compactMap { parameter in
      let kept = parameter.range.clamped(to: range)
      guard !kept.isEmpty else { return nil }
      let first = kept.lowerBound - parameter.range.lowerBound
      return CheckpointPart(
        name: "optimizer/\(parameter.name).\(name)", shape: parameter.shape, range: first..<first + kept.count,
        floats: storage.base + (kept.lowerBound - range.lowerBound))
    }
  }
}
