import Communication
import Configuration
import Datasets
import Foundation
import Layers
import Optimizers
import Strategies
import Tensors

/// Writes and restores the state of a training: rank 0 touches the disk, the others learn from it how it went.
final class CheckpointKeeper {
  private let prepared: PreparedExperiment
  private var checkpoints: Checkpoints?
  private let communicator: any Communicator
  private var savedStep: Int?

  /// Keeps nothing until it is told where.
  init(_ prepared: PreparedExperiment, _ communicator: any Communicator) {
    self.prepared = prepared
    self.communicator = communicator
  }

  /// Keeps checkpoints in the directory of a run; only rank 0 has one.
  func keep(in directory: RunDirectory?) {
    checkpoints = directory.map {
      Checkpoints($0.checkpointsPath, keep: prepared.experiment.checkpoint.keep, faults: $0.faults)
    }
  }

  /// Writes a checkpoint, unless this step has one already.  Parameters that are not finite never replace good ones.
  func save(_ progress: TrainingProgress, _ trainer: any ModelTrainer, isBest: Bool = false) throws(RunError) {
    let store = trainer.store
    guard savedStep != progress.step else { return }
    guard Reductions.squares(store.parameters.base, store.parameters.count).isFinite else {
      throw RunError(
        .diverged, "the parameters after step \(progress.step) are not finite; the checkpoints before are kept")
    }
    savedStep = progress.step
    let (optimizer, memory) = try slices(trainer)
    let states = try StateTransfer.collect(optimizer, communicator)
    let files = try StateTransfer.collect(memory, communicator)
    try Agreement.together(communicator) { () throws(RunError) in
      guard let checkpoints else { return }
      do throws(CheckpointError) {
        _ = try checkpoints.write(
          Checkpoints.Contents(
            progress: progress, model: prepared.model.name, seed: Int(prepared.experiment.seed),
            configuration: prepared.resolved, store: store,
            states: states.map { StateBlock(name: $0.key, storage: $0.storage) },
            files: files.isEmpty ? [] : [strategyFile(files)]),
          isBest: isBest)
      } catch { throw RunError(error) }
    }
  }

  /// Restores the newest whole checkpoint into rank 0's store and into what every rank remembers, and tells all ranks how far
  /// it was: nil where there is none.  Also says what was noticed on the way.
  func restore(_ trainer: any ModelTrainer) throws(RunError) -> (progress: TrainingProgress?, notes: [String]) {
    var progress: TrainingProgress?
    var notes: [String] = []
    let (optimizer, memory) = try slices(trainer)
    let states = try StateTransfer.room(for: optimizer, communicator)
    let files = try StateTransfer.room(for: memory, communicator)
    try Agreement.together(communicator) { () throws(RunError) in
      guard let checkpoints else { return }
      let newest = checkpoints.newestValid()
      notes = newest.warnings
      guard let checkpoint = newest.checkpoint else {
        return notes.append("no usable checkpoint: training starts from the beginning")
      }
      do throws(CheckpointError) {
        try checkpoint.load(
          into: trainer.store, states: states.map { StateBlock(name: $0.key, storage: $0.storage) })
        try load(files, from: checkpoint)
      } catch { throw RunError(error) }
      progress = checkpoint.progress
      let before = try? Node.parse(checkpoint.manifest.configuration, file: CheckpointManifest.fileName)
      let changed = before.map { differences($0, prepared.resolved).filter(CheckpointKeeper.matters) } ?? []
      if !changed.isEmpty {
        notes.append(
          "goes on with another \(changed.joined(separator: ", ")) than it began with: a run of this configuration alone "
            + "comes to another result")
      }
    }
    do {
      let mine = try progress.map { [UInt8](try JSONEncoder().encode($0)) } ?? []
      let root = try Agreement.exchange(mine, communicator)[0]
      progress = root.isEmpty ? nil : try JSONDecoder().decode(TrainingProgress.self, from: Data(root))
    } catch { throw RunError(error) }
    savedStep = progress?.step
    if progress != nil {
      try StateTransfer.spread(states, into: optimizer, communicator)
      try StateTransfer.spread(files, into: memory, communicator)
    }
    return (progress, notes)
  }

  /// Dotted keys whose values differ between two configurations, in order.
  private func differences(_ old: Node, _ new: Node, below prefix: String = "") -> [String] {
    guard let before = old.entries, let after = new.entries else { return old == new ? [] : [prefix] }
    var keys = after.map(\.key)
    keys += before.map(\.key).filter { !keys.contains($0) }
    return keys.flatMap { key -> [String] in
      let path = prefix.isEmpty ? key : "\(prefix).\(key)"
      guard let old = old[key], let new = new[key] else { return [path] }
      return differences(old, new, below: path)
    }
  }

  /// Whether a key has a part in the result.
  private static func matters(_ key: String) -> Bool {
    key != "name" && key != "compute.threads" && key != "training.bucket" && key != "training.overlap"
      && !key.hasPrefix("checkpoint") && key != "faults"
  }

  // MARK: What is remembered beside the model

  /// What this rank holds of the update rule's memory and of the strategy's.
  private func slices(_ trainer: any ModelTrainer) throws(RunError) -> (
    optimizer: [StateTransfer.Slice], memory: [StateTransfer.Slice]
  ) {
    (
      trainer.optimizerStates.map { .init(key: $0.name, range: $0.range, storage: $0.storage) },
      trainer.memory.map { .init(key: $0.key, range: 0..<$0.storage.count, storage: $0.storage) }
    )
  }

  private static let strategyFileName = "strategy"

  private func strategyFile(_ blocks: [StateTransfer.Slice]) -> StateFile {
    StateFile(
      name: CheckpointKeeper.strategyFileName,
      tensors: blocks.map {
        SafetensorsWriter.Part(name: $0.key, shape: [$0.storage.count], floats: $0.storage.base)
      })
  }

  /// Reads the strategy's memory; it must be the present strategy's.
  private func load(_ blocks: [StateTransfer.Slice], from checkpoint: Checkpoint) throws(CheckpointError) {
    let file = try checkpoint.stateFile(CheckpointKeeper.strategyFileName)
    let known = Set(file?.names ?? [])
    guard known == Set(blocks.map(\.key)) else {
      throw CheckpointError(
        .unsuitable,
        "\(checkpoint.directory) was written by another strategy; resume with that one, or start anew with model: "
          + "{weights: \(checkpoint.directory)}")
    }
    guard let file else { return }
    for block in blocks {
      guard let entry = file.tensors[block.key], entry.type == .float32, entry.shape == [block.storage.count] else {
        throw CheckpointError(
          .unsuitable, "\(file.path): `\(block.key)` is not \(block.storage.count) numbers of the present strategy's")
      }
      try checkpointErrors { () throws(DataError) in
        try file.withBytes(block.key) { bytes in
          guard let base = bytes.baseAddress else { return }
          UnsafeMutableRawPointer(block.storage.base).copyMemory(from: base, byteCount: bytes.count)
        }
      }
    }
  }
}
