import Communication
import Configuration
import Foundation
import Layers
import Optimizers
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
    checkpoints = directory.map { Checkpoints($0.checkpointsPath, keep: prepared.experiment.checkpoint.keep) }
  }

  /// Writes a checkpoint, unless this step has one already.  Parameters that are not finite never replace good ones.
  func save(
    _ progress: TrainingProgress, _ store: ParameterStore, _ optimizer: Optimizer, isBest: Bool = false
  ) throws(RunError) {
    guard savedStep != progress.step else { return }
    guard Reductions.squares(store.parameters.base, store.parameters.count).isFinite else {
      throw RunError(
        .diverged, "the parameters after step \(progress.step) are not finite; the checkpoints before are kept")
    }
    savedStep = progress.step
    try Agreement.together(communicator) { () throws(RunError) in
      guard let checkpoints else { return }
      do throws(CheckpointError) {
        _ = try checkpoints.write(
          Checkpoints.Contents(
            progress: progress, model: prepared.model.name, seed: Int(prepared.experiment.seed),
            configuration: prepared.resolved, store: store, states: states(optimizer)),
          isBest: isBest)
      } catch { throw RunError(error) }
    }
  }

  /// Restores the newest whole checkpoint into rank 0's store and optimizer, and tells all ranks how far it was: nil where
  /// there is none.  Also says what was noticed on the way.
  func restore(
    _ store: ParameterStore, _ optimizer: Optimizer
  ) throws(RunError) -> (progress: TrainingProgress?, notes: [String]) {
    var progress: TrainingProgress?
    var notes: [String] = []
    try Agreement.together(communicator) { () throws(RunError) in
      guard let checkpoints else { return }
      let newest = checkpoints.newestValid()
      notes = newest.warnings
      guard let checkpoint = newest.checkpoint else {
        return notes.append("no usable checkpoint: training starts from the beginning")
      }
      do throws(CheckpointError) {
        try checkpoint.load(into: store, states: states(optimizer))
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
    key != "name" && key != "compute.threads" && key != "training.bucket" && !key.hasPrefix("checkpoint")
  }

  private func states(_ optimizer: Optimizer) -> [StateBlock] {
    optimizer.states.map { StateBlock(name: $0.name, storage: $0.storage) }
  }
}
