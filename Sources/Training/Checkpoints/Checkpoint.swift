import Datasets
import Tensors

/// A checkpoint whose files were found whole: a directory `step-N` of `model.safetensors` (parameters and states under
/// PyTorch's names), `optimizer.safetensors` (`<parameter>.<state>` with the parameter's shape), further state files, and
/// `manifest.json`.
public struct Checkpoint: Sendable {
  /// Its directory.
  public let directory: String
  /// What it says about itself.
  public let manifest: CheckpointManifest

  /// Parameters and states of the model.
  public static let modelFile = "model.safetensors"
  /// What the optimizer remembers.
  public static let optimizerFile = "optimizer.safetensors"

  /// How far the training was.
  public var progress: TrainingProgress { manifest.progress }

  /// Opens a checkpoint and verifies size and SHA-256 of every file: reads all of it once.
  public static func open(_ directory: String) throws(CheckpointError) -> Checkpoint {
    let manifest = try CheckpointManifest.read("\(directory)/\(CheckpointManifest.fileName)")
    for file in manifest.files {
      let path = "\(directory)/\(file.name)"
      guard Files.isFile(path), let size = Files.size(of: path) else {
        throw CheckpointError(.damaged, "\(directory) is damaged: \(file.name) is missing")
      }
      guard size == file.bytes else {
        throw CheckpointError(.damaged, "\(path) is damaged: \(size) bytes, and \(file.bytes) were written")
      }
      guard try checkpointErrors({ () throws(DataError) in try Checksum.file(path) }) == file.sha256 else {
        throw CheckpointError(.damaged, "\(path) is damaged: its SHA-256 is not that of what was written")
      }
    }
    return Checkpoint(directory: directory, manifest: manifest)
  }

  /// Restores parameters, states of the model and blocks of the optimizer; all is checked before anything is touched.
  ///
  /// Blocks may stand for slices of the parameters, whatever number of ranks wrote them.  Their names must be those that were
  /// written: another optimizer remembers other things.
  public func load(into store: ParameterStore, states: [StateBlock]) throws(CheckpointError) {
    let model = try file(Checkpoint.modelFile)
    try Weights.check(model, against: store.layout, isStrict: true)
    let optimizer = try file(Checkpoint.optimizerFile)
    var wanted: Set<String> = []
    for block in states {
      for parameter in store.layout.parameters {
        let name = "\(parameter.name).\(block.name)"
        wanted.insert(name)
        guard let entry = optimizer.tensors[name] else {
          throw CheckpointError(
            .unsuitable,
            "\(optimizer.path) holds no `\(name)`: another optimizer wrote it; resume with that one, or start anew with "
              + "model: {weights: \(directory)}")
        }
        guard entry.type == .float32, entry.shape == parameter.shape else {
          throw CheckpointError(
            .unsuitable,
            "\(optimizer.path): `\(name)` is \(entry.type.rawValue) \(entry.shape), wanted is F32 \(parameter.shape)")
        }
      }
    }
    if let other = optimizer.names.first(where: { !wanted.contains($0) }) {
      throw CheckpointError(
        .unsuitable,
        "\(optimizer.path) holds `\(other)`, which this optimizer does not remember; resume with the one that wrote it, or "
          + "start anew with model: {weights: \(directory)}")
    }

    try Weights.copy(model, into: store)
    for block in states {
      for parameter in store.layout.parameters {
        let kept = parameter.range.clamped(to: block.range)
        if kept.isEmpty { continue }
        let target = block.storage.base + (kept.lowerBound - block.range.lowerBound)
        let first = kept.lowerBound - parameter.range.lowerBound
        try checkpointErrors { () throws(DataError) in
          try optimizer.withBytes("\(parameter.name).\(block.name)") { bytes in
            guard let base = bytes.baseAddress else { return }
            UnsafeMutableRawPointer(target).copyMemory(from: base + 4 * first, byteCount: 4 * kept.count)
          }
        }
      }
    }
  }

  /// A further state file by its name without `.safetensors`; nil when none was written.
  public func stateFile(_ name: String) throws(CheckpointError) -> SafetensorsFile? {
    let name = name + ".safetensors"
    return manifest.files.contains { $0.name == name } ? try file(name) : nil
  }

  private func file(_ name: String) throws(CheckpointError) -> SafetensorsFile {
    try checkpointErrors { () throws(DataError) in try SafetensorsFile.open("\(directory)/\(name)") }
  }
}

/// Runs what reads or writes data files; what fails is a checkpoint's failure.
func checkpointErrors<Result>(_ body: () throws(DataError) -> Result) throws(CheckpointError) -> Result {
  do throws(DataError) { return try body() } catch {
    let kind: CheckpointError.Kind =
      switch error.kind {
      case .missing: .missing
      case .unwritable: .unwritable
      case .unsuitable: .unsuitable
      default: .damaged
      }
    throw CheckpointError(kind, error.description)
  }
}
