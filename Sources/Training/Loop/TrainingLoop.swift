import Communication
import Configuration
import Datasets
import Foundation
import Layers
import Learning
import Optimizers
import Strategies
import Tensors

/// One rank's training: steps, evaluation, checkpoints, and when it ends.
public final class TrainingLoop {
  /// What is trained.
  public let prepared: PreparedExperiment
  /// The model that is evaluated and kept.
  public let store: ParameterStore
  /// Where training stands.
  public internal(set) var progress: TrainingProgress
  /// What moves the model.
  let trainer: any ModelTrainer
  let schedule: BatchSchedule
  let totalSteps: Int
  let experiment: Experiment
  /// The ranks.
  let communicator: any Communicator
  /// What the strategy has sent.
  let ledger: Ledger
  let evaluators: [Evaluator]
  let keeper: CheckpointKeeper
  /// Where this rank stands among stages; nil where it has the whole model.
  let grid: StageGrid?
  /// What is to go wrong here; nil where nothing is.
  let faults: FaultyRank?
  var isStopRequested = false
  var isClockDue = false
  private var isRestored = false
  /// The step after which ranks last made sure that they hold the same parameters.
  var agreedStep: Int?
  private var knownDataDigest: String?
  /// Who follows the run; rank 0's only.
  public var observers: [any TrainingObserver]
  var notes: [String] = []

  /// Builds everything a rank needs and makes sure that ranks, shards, data and weights go together, before anything is
  /// written.  All ranks call it together; `observers` are rank 0's.
  public init(
    _ prepared: PreparedExperiment, _ base: any Communicator, observers: [any TrainingObserver] = []
  ) throws(RunError) {
    self.prepared = prepared
    self.observers = observers
    experiment = prepared.experiment
    let options = experiment.training
    faults = FaultyRank(experiment.faults, base)
    let base: any Communicator = faults?.communicator ?? base
    communicator = base
    let counted = Ledger()
    ledger = counted
    do {
      schedule = try BatchSchedule(prepared, ranks: base.size)
      let shards = schedule.sampler.shards
      try Agreement.require(
        "another configuration", prepared.resolved.yaml(), "start all ranks with the same file and flags", base)
      if base.size > 1 {
        let fingerprint = prepared.dataset.fingerprint()
        try Agreement.require(
          "other data", fingerprint, "give all ranks the same files of \(prepared.dataset.name)", base)
        knownDataDigest = fingerprint
      }
      totalSteps = schedule.totalSteps(options.length)
      let layout = prepared.model.layout
      let weights = experiment.model.weights
      let strategy = experiment.strategy()
      let grid = try StageGrid(prepared, base)
      self.grid = grid
      // Of the same modules.
      let peers = grid?.peers ?? base
      let library = ProgramLibrary(prepared, schedule, modules: grid.map { $0.modules[$0.stage] })
      try library.requireStatistics(schedule, totalSteps: totalSteps)
      try MemoryEstimate(prepared, schedule, library, rank: peers.rank, ranks: peers.size).require(
        for: "training \(prepared.model.name)", base)
      let store = ParameterStore(layout)
      self.store = store
      layout.initialise(store, seed: experiment.seed)
      let given = prepared.learning.givenStates
      if weights != nil || !given.isEmpty {
        try Agreement.together(base) { () throws(RunError) in
          do throws(CheckpointError) {
            if let weights { try Weights.load(weights, into: store) }
            for given in given { try Weights.load(given.file, into: store, statesUnder: given.scope) }
          } catch { throw RunError(error) }
        }
      }
      progress = TrainingProgress()
      progress.counters["shards"] = Double(shards)
      let sets = [("validation", prepared.dataset.validation), ("test", prepared.dataset.test)].compactMap {
        name, set in
        set.map { (name: name, source: $0) }
      }
      let tree = ShardTree(shards: shards)
      let grain = (strategy as? any GradientStrategy)?.grain ?? .shards
      let team = try ShardTeam(prepared, tree, schedule, grain: grain, library, peers)
      team.faults = faults
      let plan = ExchangePlan(
        communicator: MeteredCommunicator(peers, ledger: ledger), uncounted: peers, tree: tree, layout: layout,
        buckets: team.buckets.ranges,
        scalars: team.block.count, seed: experiment.seed, stepsPerEpoch: schedule.stepsPerEpoch)
      switch strategy {
      case is any GradientStrategy where prepared.learning.boosting != nil:
        guard let network = prepared.learning.boosting else { preconditionFailure("boosting was checked") }
        trainer = try BoostingTrainer(prepared, network, store, team, plan, steps: totalSteps)
      case let strategy as any GradientStrategy:
        let link = grid.map { grid in
          StageLink(
            grid, MeteredCommunicator(grid.line, ledger: counted), grid.learning, library.activationBytes)
        }
        trainer = try SharedModelTrainer(experiment, store, team, strategy, plan, link: link)
      case let strategy as any ReplicaStrategy:
        trainer = try ReplicaTrainer(experiment, store, team, schedule, strategy, plan)
      default: preconditionFailure("\(type(of: strategy).name) exchanges neither gradients nor replicas")
      }
      keeper = CheckpointKeeper(prepared, base)
      let threads = experiment.compute.threads
      evaluators = sets.map { set in
        Evaluator(set.name, set.source, size: options.evaluationBatch, threads: threads, base)
      }
    } catch {
      throw RunError(error)
    }
  }

  /// Makes the faults ready that the configuration demands of this start of the run; without it none happens.  `run` is the
  /// directory of the run, which need not exist.  All ranks call it together, before anything is written there.
  public func armFaults(run: String?) throws(RunError) {
    try faults?.arm(run: run, shards: schedule.sampler.shards, totalSteps: totalSteps)
  }

  /// What is to fail when this rank writes; nil where nothing is.
  public var writeFaults: WriteFaults? { faults?.writes }

  /// Keeps the run's checkpoints in a directory, which is rank 0's; with `resume` continues from the newest whole one.  All
  /// ranks call it together, before `run`.
  public func keepCheckpoints(in directory: RunDirectory?, resume: Bool) throws(RunError) {
    try keeper.keep(in: directory, trainer, faults?.writes)
    keeper.saved = { [unowned self] record in observe { $0.saved(record) } }
    if let note = keeper.note { notes.append(note) }
    guard resume else { return }
    let restored = try keeper.restore(trainer)
    notes += restored.notes
    guard let progress = restored.progress else { return }
    guard !FederatedProgress.isOne(progress) else {
      throw RunError(.checkpoint, "the run is one of a federation; go on with its configuration, or name another --run")
    }
    let shards = schedule.sampler.shards
    if let before = progress.counters["shards"], before != Double(shards) {
      throw RunError(
        .configuration,
        "the run was trained with \(Int(before)) shards and would go on with \(shards), to another result; start as many "
          + "ranks as before, or set training.shards to \(Int(before))")
    }
    self.progress = progress
    isRestored = true
  }

  /// Continues from a checkpoint and keeps none; the run's shards must be the checkpoint's.  All ranks call it together,
  /// before `replay`.
  func resume(from checkpoint: Checkpoint) throws(RunError) {
    guard let restored = try keeper.restore(trainer, from: checkpoint) else { return }
    progress = restored
    isRestored = true
  }

  /// SHA-256 of the data, as ranks compare it; worked out once, at 1.7 GB/s.
  public func dataDigest() -> String {
    let digest = knownDataDigest ?? prepared.dataset.fingerprint()
    knownDataDigest = digest
    return digest
  }

  /// Payload bytes that this rank sends in a step, counted from 0, by formula: what the ledger counts.  Nil where the strategy
  /// cannot say.
  public func bytesSent(step: Int) -> Int? { trainer.bytesSent(step: step) }

  /// All ranks take rank 0's parameters and make sure that they hold the same.
  func synchroniseParameters() throws {
    if communicator.size > 1 {
      for storage in [store.parameters, store.states] { try communicator.broadcast(storage.scalars, root: 0) }
      try Agreement.require(
        "other parameters", Digest.parameters(store), "check the machines' memory and network", communicator)
    }
    if !isRestored { try trainer.start() }
  }

  /// What is about to be trained, from the present step on.
  public var start: TrainingStart {
    TrainingStart(
      name: experiment.name, model: prepared.model.name, parameters: store.layout.parameterCount,
      data: prepared.dataset.origin, samples: prepared.dataset.training.count, batch: experiment.training.batch,
      shards: schedule.sampler.shards, ranks: communicator.size, threads: trainer.shards.team.count,
      totalSteps: totalSteps, stepsPerEpoch: schedule.stepsPerEpoch, firstStep: progress.step)
  }

  func observe(_ tell: (any TrainingObserver) -> Void) {
    for observer in observers { tell(observer) }
  }

}
