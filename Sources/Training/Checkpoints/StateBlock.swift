import Datasets
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

/// A state file beside the parameters and the optimizer's: what a strategy, a learning rule or clients remember.
public struct StateFile {
  /// Its name without `.safetensors`: `strategy`.
  public let name: String
  /// Its tensors; they stay where they are until the checkpoint is written.
  public let tensors: [SafetensorsWriter.Part]

  /// A file of a name; letters, digits, dashes and underscores, and neither `model` nor `optimizer`.
  public init(name: String, tensors: [SafetensorsWriter.Part]) {
    precondition(
      CheckpointManifest.isPlain(name + ".safetensors") && name != "model" && name != "optimizer", "state file \(name)")
    self.name = name
    self.tensors = tensors
  }
}
