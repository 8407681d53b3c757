import Communication
import Configuration
import Datasets
import Layers
import Learning
import Optimizers
import Strategies
import Tensors

// Steps, evaluations and checkpoints in their order.
extension TrainingLoop {
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
      let isShared = (error as? RunError).map { [.diverged, .desynchronised, .refused].contains($0.code) } ?? false
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
      // Stages do not tell each other whether one of them is writing.
      if isLast || isStopping || isStopRequested || grid != nil { try keeper.settle() }
      if isStopRequested, !isLast, !isStopping {
        throw RunError(
          .stopped, "stopped by a signal after step \(progress.step); the state is saved, --resume continues")
      }
    }
    if test == nil { test = try evaluate().last }
    try trainer.finish()
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
        index: index, epoch: epoch, phase: phase(index), batches: schedule.batches(index).count, samples: samples,
        learningRate: learningRate, stop: StopSignal.number != nil, busy: keeper.isBusy,
        due: (grid?.keepsTime ?? (communicator.rank == 0)) && keeper.isOverdue(experiment.checkpoint.every)))
    faults?.endStep()
    if keeper.isSaving, !sums.busy { try keeper.advance() }
    progress.step += 1
    progress.epoch = progress.step / schedule.stepsPerEpoch
    progress.samples += samples
    progress.epochSamples = index + 1 == (epoch + 1) * schedule.stepsPerEpoch ? 0 : progress.epochSamples + samples
    isStopRequested = sums.stop
    isClockDue = sums.due
    progress.seconds += monotonicSeconds() - start
    let terms = Double(samples * prepared.dataset.training.termsPerSample)
    let sent = ledger.total
    return StepRecord(
      step: progress.step, totalSteps: totalSteps, epoch: epoch, samples: progress.samples, loss: sums.loss,
      accuracy: isClassification ? sums.correct / terms : nil, learningRate: learningRate,
      seconds: progress.seconds, bytesSent: sent.bytes, messagesSent: sent.messages, wireBytes: communicator.wireBytes)
  }

  /// The phase of a step, and the steps before it in the phase: phases are of equal length.
  private func phase(_ step: Int) -> (number: Int, step: Int) {
    let phases = prepared.learning.phases
    // A benchmark goes on after the last step.
    let number = min(step * phases / totalSteps, phases - 1)
    return (number, step - (number * totalSteps + phases - 1) / phases)
  }

  private var isClassification: Bool { prepared.objective.loss == .crossEntropy }

  // MARK: Evaluating and saving

  private var isCheckpointDue: Bool {
    guard let every = experiment.checkpoint.every else { return false }
    return every.unit == CheckpointOptions.clockUnit ? isClockDue : isDue(every)
  }

  /// Whether an interval ends with the present step.
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
}
