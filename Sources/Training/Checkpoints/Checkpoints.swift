import Configuration
import Datasets
import Glibc
import Tensors

/// The checkpoints of a run: `step-N` directories, and the links `last` and `best` beside them.
///
/// A checkpoint is written as `step-N.partial`, synced and renamed, so that whatever happens at whatever moment leaves whole
/// ones only; older ones are removed after that.  One process at a time writes: the holder of the run's lock.
public struct Checkpoints: Sendable {
  /// The folder.
  public let directory: String
  /// How many to keep beside the best one; nil keeps all.
  public let keep: Int?
  private let faults: WriteFaults?

  /// The checkpoints in a folder, which need not exist yet.  `faults` may let writes fail.
  public init(_ directory: String, keep: Int? = nil, faults: WriteFaults? = nil) {
    precondition(keep ?? 1 >= 1, "keeping \(keep ?? 0) checkpoints")
    self.directory = directory
    self.keep = keep
    self.faults = faults
  }

  /// What a checkpoint is made of.
  public struct Contents {
    /// How far the training is.
    public var progress: TrainingProgress
    /// What the model is called.
    public var model: String
    /// The seed of the run.
    public var seed: Int
    /// The resolved configuration.
    public var configuration: Node
    /// Parameters and states of the model.
    public var store: ParameterStore
    /// What the optimizer remembers; each block stands for all parameters.
    public var states: [StateBlock]
    /// What others remember.
    public var files: [StateFile]

    /// Everything a checkpoint holds; memory stays where it is until it is written.
    public init(
      progress: TrainingProgress, model: String, seed: Int, configuration: Node, store: ParameterStore,
      states: [StateBlock], files: [StateFile] = []
    ) {
      self.progress = progress
      self.model = model
      self.seed = seed
      self.configuration = configuration
      self.store = store
      self.states = states
      self.files = files
    }
  }

  /// Steps that have a directory, ascending, whether it is whole or not.
  public var steps: [Int] {
    Files.names(in: directory).compactMap(Checkpoints.step).sorted()
  }

  /// The directory of a step.
  public func path(_ step: Int) -> String { "\(directory)/step-\(step)" }

  /// The step that a link, `best` or `last`, points to.
  public func linked(_ name: String) -> Int? {
    Files.target(of: "\(directory)/\(name)").flatMap(Checkpoints.step)
  }

  /// The number in `step-12`.
  private static func step(_ name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), step >= 0, "step-\(step)" == name else {
      return nil
    }
    return step
  }

  // MARK: - Reading

  /// The newest checkpoint that is whole, and a line for each newer one that is not.  Each is read once to verify it.
  public func newestValid() -> (checkpoint: Checkpoint?, warnings: [String]) {
    var warnings = Files.names(in: directory).filter { $0.hasPrefix("step-") && $0.hasSuffix(".partial") }
      .map { "\(directory)/\($0) was never finished; it is passed over" }
    for step in steps.reversed() {
      do throws(CheckpointError) { return (try Checkpoint.open(path(step)), warnings) } catch {
        warnings.append("\(error.description); it is passed over")
      }
    }
    return (nil, warnings)
  }

  // MARK: - Writing

  /// Writes a checkpoint, points `last` (and `best`, if it is) to it, then removes those that are too old; the best never goes.
  /// It has reached the disk when this returns.  Errors: `unwritable`, with all earlier checkpoints as they were.
  @discardableResult
  public func write(_ contents: Contents, isBest: Bool = false) throws(CheckpointError) -> Checkpoint {
    let step = contents.progress.step
    let final = path(step)
    let partial = final + ".partial"
    do {
      try Files.makeFolders(directory)
      removeLeftovers()
      try Files.makeFolders(partial)
      let manifest = try write(contents, to: partial)
      // A directory of this step that a run went on before, or from damaged ones, makes room.
      if Files.kind(of: final) != nil {
        guard rename(final, final + ".replaced") == 0 else { throw SystemFailure("rename", final) }
      }
      guard rename(partial, final) == 0 else {
        let failure = SystemFailure("rename", partial)
        rename(final + ".replaced", final)
        throw failure
      }
      try Files.sync(directory)
      try Files.link("\(directory)/last", to: "step-\(step)")
      if isBest { try Files.link("\(directory)/best", to: "step-\(step)") }
      removeOld(present: step)
      removeLeftovers()
      return Checkpoint(directory: final, manifest: manifest)
    } catch {
      Files.remove(partial)
      if let error = error as? CheckpointError { throw error }
      throw CheckpointError(.unwritable, (error as? SystemFailure)?.message ?? "\(error)")
    }
  }

  private func write(_ contents: Contents, to folder: String) throws -> CheckpointManifest {
    let layout = contents.store.layout
    let progress = contents.progress
    precondition(progress.isSound, "a checkpoint of \(progress)")
    precondition(
      contents.states.allSatisfy { $0.range == 0..<layout.parameterCount }, "a checkpoint of parts of a state")
    let metadata = [
      "format": "pt", "nndist_format": "\(CheckpointManifest.currentFormat)", "model": contents.model,
      "step": "\(progress.step)", "epoch": "\(progress.epoch)",
    ]
    var parts: [(name: String, tensors: [SafetensorsWriter.Part])] = []
    parts.append((Checkpoint.modelFile, Weights.parts(of: contents.store)))
    parts.append(
      (
        Checkpoint.optimizerFile,
        contents.states.flatMap { block in
          layout.parameters.map { parameter in
            SafetensorsWriter.Part(
              name: "\(parameter.name).\(block.name)", shape: parameter.shape,
              floats: block.storage.base + parameter.range.lowerBound)
          }
        }
      ))
    for file in contents.files { parts.append(("\(file.name).safetensors", file.tensors)) }
    var files: [CheckpointManifest.File] = []
    for part in parts {
      let path = "\(folder)/\(part.name)"
      try faults?.check(path, checkpoint: progress.step)
      let (bytes, sha256) = try checkpointErrors { () throws(DataError) in
        let bytes = try SafetensorsWriter.write(path, metadata: metadata, tensors: part.tensors, durable: true)
        return (bytes, try Checksum.file(path))
      }
      files.append(CheckpointManifest.File(name: part.name, bytes: bytes, sha256: sha256))
    }
    let manifest = CheckpointManifest(
      format: CheckpointManifest.currentFormat, model: contents.model, seed: contents.seed, progress: progress,
      parametersDigest: Digest.parameters(contents.store), configuration: contents.configuration.yaml(), files: files)
    try Files.write(
      manifest.text, to: "\(folder)/\(CheckpointManifest.fileName)", faults, checkpoint: progress.step)
    return manifest
  }

  /// Removes checkpoints older than the newest `keep` up to the present one.  Renamed first, so that a half-removed one is not
  /// taken for a damaged one.
  private func removeOld(present: Int) {
    guard let keep else { return }
    let best = linked("best")
    for step in steps.filter({ $0 <= present }).dropLast(keep) where step != best {
      if rename(path(step), path(step) + ".removed") == 0 { Files.remove(path(step) + ".removed") }
    }
  }

  /// Removes what interrupted writers left behind.
  private func removeLeftovers() {
    for name in Files.names(in: directory) {
      let path = "\(directory)/\(name)"
      if name.hasSuffix(".replaced"), Files.kind(of: String(path.dropLast(9))) == nil {
        // Interrupted between the two renames: the old one is all there is of this step.
        rename(path, String(path.dropLast(9)))
      } else if [".partial", ".replaced", ".removed"].contains(where: name.hasSuffix) {
        Files.remove(path)
      }
    }
  }
}
