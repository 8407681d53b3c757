import Communication
import Configuration
import Datasets
import Foundation
import Layers
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
  private let experiment: Experiment
  /// The ranks.
  let communicator: any Communicator
  /// What the strategy has sent.
  private let ledger: Ledger
  private let evaluators: [Evaluator]
  private let keeper: CheckpointKeeper
  /// What is to go wrong here; nil where nothing is.
  private let faults: FaultyRank?
  private var isStopRequested = false
  private var isRestored = false
  /// The step after which ranks last made sure that they hold the same parameters.
  var agreedStep: Int?
  private var knownDataDigest: String?
  /// Who follows the run; rank 0's only.
  public var observers: [any TrainingObserver]
  private var notes: [String] = []

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
    let metered = MeteredCommunicator(base)
    ledger = metered.ledger
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
      let library = ProgramLibrary(prepared, schedule)
      try library.requireStatistics(schedule, totalSteps: totalSteps)
      try MemoryEstimate(prepared, schedule, library, rank: base.rank, ranks: base.size).require(
        for: "training \(prepared.model.name)", base)
      let store = ParameterStore(layout)
      self.store = store
      layout.initialise(store, seed: experiment.seed)
      if let weights {
        try Agreement.together(base) { () throws(RunError) in
          do throws(CheckpointError) { _ = try Weights.load(weights, into: store) } catch { throw RunError(error) }
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
      let team = try ShardTeam(prepared, tree, schedule, grain: grain, library, base)
      team.faults = faults
      let plan = ExchangePlan(
        communicator: metered, uncounted: base, tree: tree, layout: layout, buckets: team.buckets.ranges,
        scalars: team.block.count, seed: experiment.seed, stepsPerEpoch: schedule.stepsPerEpoch)
      switch strategy {
      case let strategy as any GradientStrategy:
        trainer = try SharedModelTrainer(experiment, store, team, strategy, plan)
      case let strategy as any ReplicaStrategy:
        trainer = try ReplicaTrainer(experiment, store, team, schedule, strategy, plan)
      default: preconditionFailure("\(type(of: strategy).name) exchanges neither gradients nor replicas")
      }
      keeper = CheckpointKeeper(prepared, base)
      let threads = experiment.compute.threads
      evaluators = sets.map { set in
        Evaluator(
          set.name, set.source, size: options.evaluationBatch, termsPerSample: prepared.objective.termsPerSample,
          threads: threads, base)
      }
    } catch {
      throw RunError(error)
    }
  }

  /// Makes the faults ready that the configuration demands of this start of the run; without it none happens.  `run` is the
  /// directory of the run, which need not exist.  All ranks call it together, before anything is written there.
  public func armFaults(run: String?) throws(RunError) {
    guard let faults else { return }
    do {
      let number = try Agreement.together(communicator) { () throws(RunError) in
        communicator.rank == 0 ? try Attempt.number(run: run) : 0
      }
      let numbers = try Agreement.exchange(Array("\(number)".utf8), communicator)
      let attempt = Int(String(decoding: numbers[0], as: UTF8.self)) ?? number
      try faults.arm(attempt: attempt, shards: schedule.sampler.shards, totalSteps: totalSteps)
    } catch { throw RunError(error) }
  }

  /// What is to fail when this rank writes; nil where nothing is.
  public var writeFaults: WriteFaults? { faults?.writes }

  /// Keeps the run's checkpoints in a directory, which is rank 0's; with `resume` continues from the newest whole one.  All
  /// ranks call it together, before `run`.
  public func keepCheckpoints(in directory: RunDirectory?, resume: Bool) throws(RunError) {
    try keeper.keep(in: directory, trainer, faults?.writes)
    keeper.saved = { [unowned self] record in observe { $0.saved(record) } }
    if case let blind = keeper.blindRanks, !blind.isEmpty {
      notes.append(
        "ranks \(blind.map(String.init).joined(separator: ", ")) do not see the run directory: rank 0 writes their part of "
          + "checkpoints")
    }
    guard resume else { return }
    let restored = try keeper.restore(trainer)
    notes += restored.notes
    guard let progress = restored.progress else { return }
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

  /// Trains to the end, or until a signal or early stopping ends it.
  public func run() throws(RunError) -> TrainingSummary {
    do {
      try synchroniseParameters()
      try trainer.shards.begin(at: progress.step)
      observe { $0.began(start) }
      for note in notes { observe { $0.noted(note) } }
      let summary = try train()
      for line in try faults?.missed() ?? [] { observe { $0.noted(line) } }
      observe { $0.ended() }
      return summary
    } catch {
      // What all ranks end with together leaves the checkpoint under way whole.
      let isShared = (error as? RunError).map { ![.peerLost, .internalError].contains($0.code) } ?? false
      if isShared { try? keeper.settle() }
      // A rank that leaves on demand leaves in the midst of exchanges: others may still copy from its memory.
      if faults?.communicator.sharesProcess == true { _ = Unmanaged.passRetained(self) }
      throw RunError(error)
    }
  }

  private func train() throws -> TrainingSummary {
    var test: EvaluationRecord?
    // A run that ended between its last checkpoint and its result goes no further either.
    var isStopping = hasLostPatience
    while progress.step < totalSteps, !isStopping {
      var record = try step()
      let isLast = progress.step == totalSteps
      record.digest = try ledgerDigest(isLast: isLast)
      observe { $0.stepEnded(record) }
      // Also when asked to stop: what it decides belongs to this step, and no later one makes up for it.
      if isDue(experiment.training.evaluate) || isLast {
        let results = try evaluate()
        test = results.last
        isStopping = try judge(results)
      }
      if isLast || isStopping || isStopRequested || isCheckpointDue { try save() }
      if isLast || isStopping || isStopRequested { try keeper.settle() }
      if isStopRequested, !isLast, !isStopping {
        throw RunError(
          .stopped, "stopped by a signal after step \(progress.step); the state is saved, --resume continues")
      }
    }
    if test == nil { test = try evaluate().last }
    return try summary(test)
  }

  /// One optimizer step.
  func step() throws -> StepRecord {
    let start = monotonicSeconds()
    let index = progress.step
    try faults?.begin(step: index + 1)
    let epoch = schedule.epoch(index)
    let samples = schedule.samples(index)
    let learningRate = experiment.optimizer.learningRate(
      step: index, stepsPerEpoch: schedule.stepsPerEpoch, totalSteps: totalSteps)
    let sums = try trainer.step(
      StepMoment(
        index: index, epoch: epoch, batches: schedule.batches(index).count, samples: samples,
        learningRate: learningRate, stop: StopSignal.number != nil, busy: keeper.isBusy))
    faults?.endStep()
    if keeper.isSaving, !sums.busy { try keeper.advance() }
    progress.step += 1
    progress.epoch = progress.step / schedule.stepsPerEpoch
    progress.samples += samples
    progress.epochSamples = index + 1 == (epoch + 1) * schedule.stepsPerEpoch ? 0 : progress.epochSamples + samples
    isStopRequested = sums.stop
    progress.seconds += monotonicSeconds() - start
    let terms = Double(samples * prepared.objective.termsPerSample)
    let sent = ledger.total
    return StepRecord(
      step: progress.step, totalSteps: totalSteps, epoch: epoch, samples: progress.samples, loss: sums.loss,
      accuracy: isClassification ? sums.correct / terms : nil, learningRate: learningRate,
      seconds: progress.seconds, bytesSent: sent.bytes, messagesSent: sent.messages, wireBytes: communicator.wireBytes)
  }

  /// Payload bytes that this rank sends in a step, counted from 0, by formula: what the ledger counts.  Nil where the strategy
  /// cannot say.
  public func bytesSent(step: Int) -> Int? { trainer.bytesSent(step: step) }

  private var isClassification: Bool { prepared.objective.loss == .crossEntropy }

  // MARK: Beginning

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

  // MARK: Evaluating and saving

  private var isCheckpointDue: Bool { experiment.checkpoint.every.map { isDue($0) } ?? false }

  func isDue(_ interval: Quantity) -> Bool {
    switch interval.unit {
    case "step": progress.step % interval.count == 0
    default:
      progress.step % schedule.stepsPerEpoch == 0 && progress.step / schedule.stepsPerEpoch % interval.count == 0
    }
  }

  private func save(isBest: Bool = false) throws {
    try requireSameParameters()
    try faults?.reach(.checkpoint)
    try keeper.save(progress, trainer, isBest: isBest)
  }

  private func evaluate() throws -> [EvaluationRecord] {
    try trainer.refresh()
    let shards = trainer.shards
    return try evaluators.map { evaluator in
      let result = try evaluator.run(shards.workers, shards.team, store, version: trainer.version)
      let record = EvaluationRecord(
        set: evaluator.name, step: progress.step, epoch: progress.epoch, loss: result.loss,
        accuracy: isClassification ? result.accuracy : nil, seconds: progress.seconds)
      observe { $0.evaluated(record) }
      guard result.loss.isFinite else {
        throw RunError(
          .diverged,
          "the \(evaluator.name) loss after step \(progress.step) is not finite; lower optimizer.learning-rate")
      }
      return record
    }
  }

  /// Keeps track of the best result on the validation set; true when training is to stop early.
  private func judge(_ results: [EvaluationRecord]) throws -> Bool {
    guard let validation = results.first(where: { $0.set == "validation" }) else { return false }
    let score = validation.accuracy ?? -validation.loss
    if let best = progress.bestMetric, score <= best {
      progress.evaluationsWithoutGain += 1
    } else {
      progress.bestMetric = score
      progress.bestStep = progress.step
      progress.evaluationsWithoutGain = 0
      try save(isBest: true)
    }
    guard hasLostPatience else { return false }
    let (count, best) = (progress.evaluationsWithoutGain, "step \(progress.bestStep ?? 0)")
    observe { $0.noted("stopped early: no improvement in \(count) evaluations since \(best)") }
    return true
  }

  private var hasLostPatience: Bool {
    experiment.training.patience.map { progress.evaluationsWithoutGain >= $0 } ?? false
  }

  func observe(_ tell: (any TrainingObserver) -> Void) {
    for observer in observers { tell(observer) }
  }

  private func summary(_ test: EvaluationRecord?) throws -> TrainingSummary {
    let sent = ledger.total
    let labels = ledger.labels.flatMap { [Int64($0.bytes), Int64($0.messages)] }
    let counts = try gatherCounts(
      [Int64(sent.bytes), Int64(sent.messages), Int64(ProcessMemory.peak), Int64(communicator.wireBytes)] + labels)
    let buckets = (0..<labels.count / 2).map { bucket in
      BucketTraffic(
        bytesSent: counts.map { Int($0[4 + 2 * bucket]) }, messagesSent: counts.map { Int($0[5 + 2 * bucket]) })
    }
    return TrainingSummary(
      ranks: communicator.size, epochs: progress.epoch, steps: progress.step, samples: progress.samples,
      seconds: progress.seconds, loss: test?.loss, accuracy: test?.accuracy,
      parameters: store.layout.parameterCount, parametersDigest: Digest.parameters(store), strategy: trainer.name,
      bytesSent: counts.map { Int($0[0]) }, messagesSent: counts.map { Int($0[1]) }, buckets: buckets,
      wireBytes: Int(counts.reduce(0) { $0 + $1[3] }), stalledSeconds: keeper.stalledSeconds,
      peakMemoryBytes: Int(counts.map { $0[2] }.max() ?? 0))
  }

  private func gatherCounts(_ mine: [Int64]) throws -> [[Int64]] {
    let bytes = mine.withUnsafeBytes { Array($0) }
    return try Agreement.exchange(bytes, communicator).map { bytes in
      bytes.withUnsafeBytes { Array($0.bindMemory(to: Int64.self)) }
    }
  }
}

/// Seconds of a clock that never jumps.
func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
