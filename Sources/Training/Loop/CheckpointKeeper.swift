import Communication
import Configuration
import Datasets
import Foundation
import Layers
import Tensors

/// Writes and restores the state of a training.  All ranks call it together, at the same steps.
///
/// A save copies what this rank writes, and goes on: a thread of its own writes the copy.  Once the sums of a step say that
/// no rank is busy, rank 0 commits, again on a thread of its own, and the step after that knows how it went.
final class CheckpointKeeper {
  private let prepared: PreparedExperiment
  private let communicator: any Communicator
  private var folder: CheckpointFolder?
  private var shares: CheckpointShares?
  private var phase = Phase.idle
  private var savedStep: Int?
  private let snapshot = Snapshot()
  /// Seconds that training stood still for checkpoints.
  private(set) var stalledSeconds = 0.0
  /// Told of each checkpoint that has reached the disk.
  var saved: (CheckpointRecord) -> Void = { _ in }

  private enum Phase {
    case idle
    case writing(Checkpoints.Head, isBest: Bool, BackgroundTask<Result<CheckpointShare, CheckpointError>>)
    /// The task is rank 0's.
    case committing(BackgroundTask<CheckpointError?>?)
  }
  private var record = CheckpointRecord(step: 0, bytes: 0, stalledSeconds: 0, seconds: 0)
  private var began = monotonicSeconds()

  /// Keeps nothing until it is told where.
  init(_ prepared: PreparedExperiment, _ communicator: any Communicator) {
    self.prepared = prepared
    self.communicator = communicator
  }

  // MARK: Where

  /// Keeps checkpoints in the directory of a run, which is rank 0's, and makes room for them in memory.  Refuses a disk without
  /// room for one.
  func keep(
    in directory: RunDirectory?, _ trainer: any ModelTrainer, _ faults: WriteFaults?
  ) throws(RunError) {
    folder = try CheckpointFolder(directory, keep: prepared.experiment.checkpoint.keep, faults, communicator)
    guard let folder else { return }
    let shares = try CheckpointShares(trainer.parts, model: trainer.store, communicator)
    self.shares = shares
    try folder.requireDisk(bytes: shares.bytes, communicator)
    if !folder.blind[communicator.rank] { _ = take(shares.own(trainer.parts), trainer) }
  }

  /// What is to be told about the folder.
  var note: String? { folder?.note }

  private func take(
    _ parts: [CheckpointPart], _ trainer: any ModelTrainer
  ) -> (parts: [CheckpointPart], model: ParameterStore?) {
    snapshot.take(parts, model: communicator.rank == 0 ? trainer.store : nil)
  }

  // MARK: Saving

  /// Whether so much time has passed since the last checkpoint, or since training began.
  func isOverdue(_ interval: Quantity?) -> Bool {
    guard let interval, interval.unit == CheckpointOptions.clockUnit else { return false }
    return monotonicSeconds() - began >= 60 * Double(interval.count)
  }

  /// Whether a checkpoint is under way; the same on all ranks.
  var isSaving: Bool { if case .idle = phase { false } else { true } }

  /// Whether this rank is still writing.
  var isBusy: Bool {
    switch phase {
    case .idle: false
    case .writing(_, _, let task): !task.isDone
    case .committing(let task): !(task?.isDone ?? true)
    }
  }

  /// Begins a checkpoint, unless this step has one already; waits for the one before.  Parameters that are not finite never
  /// replace good ones.
  func save(_ progress: TrainingProgress, _ trainer: any ModelTrainer, isBest: Bool = false) throws(RunError) {
    guard let folder, let shares, savedStep != progress.step else { return }
    guard Reductions.squares(trainer.store.parameters.base, trainer.store.parameters.count).isFinite else {
      throw RunError(
        .diverged, "the parameters after step \(progress.step) are not finite; the checkpoints before are kept")
    }
    try settle()
    began = monotonicSeconds()
    defer { stall(since: began) }
    record = CheckpointRecord(step: progress.step, bytes: shares.bytes, stalledSeconds: 0, seconds: 0)
    try folder.requireDisk(bytes: shares.bytes, communicator)
    savedStep = progress.step
    let own = shares.own(trainer.parts)
    let theirs = try PartTransfer.collect(own, blind: folder.blind, communicator)
    let isBlind = folder.blind[communicator.rank]
    let copy = take(isBlind ? [] : own, trainer)
    let head = Checkpoints.Head(
      progress: progress, model: prepared.model.name, seed: Int(prepared.experiment.seed),
      configuration: prepared.resolved)
    let partial = folder.partial(progress.step)
    let (rank, checkpoints, snapshot) = (communicator.rank, folder.checkpoints, snapshot)
    func write() throws(CheckpointError) -> CheckpointShare {
      defer { withExtendedLifetime((snapshot, theirs.room)) {} }
      guard !isBlind else { return CheckpointShare.empty }
      try checkpoints.make(partial)
      return try CheckpointShare.write(
        copy.parts + theirs.parts, model: copy.model, file: "state-\(rank)", of: head, to: partial, checkpoints.faults)
    }
    guard communicator.size == 1 else {
      phase = .writing(head, isBest: isBest, try BackgroundTask { Result(catching: write) })
      return
    }
    // Alone, there is nobody to wait for.
    phase = .committing(
      try BackgroundTask {
        do throws(CheckpointError) {
          try checkpoints.commit(head, [try write()], partial: partial, isBest: isBest)
          return nil
        } catch {
          Files.remove(partial)
          return error
        }
      })
  }

  private func stall(since start: Double) {
    let seconds = monotonicSeconds() - start
    record.stalledSeconds += seconds
    stalledSeconds += seconds
  }

  /// Takes the next step of the checkpoint under way, which no rank is busy with.
  func advance() throws(RunError) {
    let start = monotonicSeconds()
    try proceed()
    if isSaving { return stall(since: start) }
    stall(since: start)
    record.seconds = monotonicSeconds() - began
    saved(record)
  }

  private func proceed() throws(RunError) {
    switch phase {
    case .idle: return
    case .writing(let head, let isBest, let task):
      phase = .idle
      guard let folder else { return }
      let partial = folder.partial(head.progress.step)
      var shares: [CheckpointShare] = []
      do throws(RunError) {
        let share = try Agreement.together(communicator) { () throws(RunError) in
          do throws(CheckpointError) { return try task.wait().get() } catch { throw RunError(error) }
        }
        shares = try CheckpointShare.gather(share, communicator)
      } catch {
        if communicator.rank == 0 { Files.remove(partial) }
        throw error
      }
      var commit: BackgroundTask<CheckpointError?>?
      if communicator.rank == 0 {
        let checkpoints = folder.checkpoints
        commit = try BackgroundTask { [shares] () -> CheckpointError? in
          do throws(CheckpointError) {
            try checkpoints.commit(head, shares, partial: partial, isBest: isBest)
            return nil
          } catch {
            Files.remove(partial)
            return error
          }
        }
      }
      phase = .committing(commit)
    case .committing(let task):
      phase = .idle
      try Agreement.together(communicator) { () throws(RunError) in
        if let error = task?.wait() { throw RunError(error) }
      }
    }
  }

  /// Waits until the checkpoint under way has reached the disk.
  func settle() throws(RunError) {
    while isSaving { try advance() }
  }

  // MARK: Restoring

  /// Restores the newest whole checkpoint into rank 0's model and into what every rank remembers, and tells all ranks how far
  /// it was: nil where there is none.  Also says what was noticed on the way.
  func restore(_ trainer: any ModelTrainer) throws(RunError) -> (progress: TrainingProgress?, notes: [String]) {
    guard let folder else { return (nil, []) }
    let newest = try folder.newest(prepared.resolved, beginning: "training starts", communicator)
    let progress = try restore(trainer, from: newest.checkpoint)
    savedStep = progress?.step
    return (progress, newest.notes)
  }

  /// Restores a checkpoint that rank 0 has opened, wherever it lies; nil everywhere where rank 0 has none.
  func restore(_ trainer: any ModelTrainer, from found: Checkpoint?) throws(RunError) -> TrainingProgress? {
    guard let shared = try SharedCheckpoint(found, communicator) else { return nil }
    let parts = trainer.parts
    let shares = try CheckpointShares(parts, model: trainer.store, communicator)
    try Agreement.together(communicator) { () throws(RunError) in
      guard let found else { return }
      do throws(CheckpointError) {
        try found.require(trainer.store.layout, shares.tensors)
        try found.load(into: trainer.store)
      } catch { throw RunError(error) }
    }
    try shared.fill(parts)
    return shared.progress
  }
}
