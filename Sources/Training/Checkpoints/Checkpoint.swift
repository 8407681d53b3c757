import Datasets
import Tensors

/// A checkpoint whose files were found whole: a directory `step-N` of `model.safetensors` (parameters and states under
/// PyTorch's names), `state-R.safetensors` (what rank R wrote of everything else), and `manifest.json`.
public struct Checkpoint: Sendable {
  /// Its directory.
  public let directory: String
  /// What it says about itself.
  public let manifest: CheckpointManifest

  /// Parameters and states of the model.
  public static let modelFile = "model.safetensors"

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
    let checkpoint = Checkpoint(directory: directory, manifest: manifest)
    _ = try CheckpointState(checkpoint)
    return checkpoint
  }

  /// A checkpoint that somebody else has verified.
  static func unverified(_ directory: String) throws(CheckpointError) -> Checkpoint {
    Checkpoint(
      directory: directory, manifest: try CheckpointManifest.read("\(directory)/\(CheckpointManifest.fileName)"))
  }

  /// Restores parameters and states of the model; all is checked before anything is touched.
  public func load(into store: ParameterStore) throws(CheckpointError) {
    try Weights.copy(try model(of: store.layout), into: store)
  }

  /// The model's file, which must be that of a model of this layout.
  private func model(of layout: ParameterLayout) throws(CheckpointError) -> SafetensorsFile {
    let model = try checkpointErrors { () throws(DataError) in
      try SafetensorsFile.open("\(directory)/\(Checkpoint.modelFile)")
    }
    try Weights.check(model, against: layout, isStrict: true)
    return model
  }

  /// What is remembered beside the model.
  public func state() throws(CheckpointError) -> CheckpointState { try CheckpointState(self) }

  /// Throws unless it holds a model of this layout and exactly these tensors beside it: another optimizer or strategy
  /// remembers other things.
  func require(_ layout: ParameterLayout, _ wanted: [String: Shape]) throws(CheckpointError) {
    _ = try model(of: layout)
    let state = try state()
    func unsuitable(_ what: String, _ name: String) -> CheckpointError {
      let room = String(name.prefix { $0 != "/" })
      let kind = ["optimizer", "strategy"].contains(room) ? room : "federated strategy or setting"
      return CheckpointError(
        .unsuitable,
        "\(directory) \(what): another \(kind) wrote it; resume with that one, or start anew with model: {weights: "
          + "\(directory)}")
    }
    for (name, shape) in wanted.sorted(by: { $0.key < $1.key }) {
      guard let held = state.shape(name) else { throw unsuitable("holds no `\(name)`", name) }
      guard held == shape else { throw unsuitable("holds `\(name)` as \(held), not as \(shape)", name) }
    }
    // What a server knows of clients elsewhere is nobody else's business.
    let others = state.names.subtracting(wanted.keys).filter { !$0.hasPrefix(Checkpoint.networkPrefix) }
    if let other = others.min() {
      throw unsuitable("holds `\(other)`, which is not remembered here", other)
    }
  }
}

extension Checkpoint {
  /// What names begin with that only the server of clients elsewhere has.
  static let networkPrefix = "network/"

  /// Whether it is that of a server whose clients are elsewhere, and keep what they remember.
  var lacksClients: Bool { (try? state().names.contains { $0.hasPrefix(Checkpoint.networkPrefix) }) ?? false }
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
