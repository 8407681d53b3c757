import Communication
import Configuration
import Datasets
import Federated
import Foundation
import Layers
import Tensors

/// One rank's part in a federation: rounds, evaluation, checkpoints, and when it ends.
public final class FederatedLoop {
  /// What is trained.
  public let prepared: PreparedFederation
  /// The rounds.
  public let engine: FederatedEngine
  /// Where the federation stands.
  public internal(set) var progress = FederatedProgress()
  /// Who follows the run; rank 0's only.
  public var observers: [any TrainingObserver] = []
  let communicator: any Communicator
  let ledger: Ledger
  /// What is to go wrong here; nil where nothing is.
  let faults: FaultyRank?
  var notes: [String] = []
  /// What the last round has told beside the usual, by name.
  private(set) var others: [String: Double] = [:]
  private let keeper: FederatedKeeper
  /// Who visits clients elsewhere; then every round is kept before it is told that it counts.
  private let remote: (any RemoteVisits)?
  private var knownDataDigest: String?
  /// The round after which ranks last made sure that they hold the same.
  private var agreedRound: Int?

  /// Builds everything a rank needs and makes sure that ranks and data go together, before anything is written.  All ranks
  /// call it together.
  public init(
    _ prepared: PreparedFederation, _ base: any Communicator, remote: (any RemoteVisits)? = nil
  ) throws(RunError) {
    self.prepared = prepared
    self.remote = remote
    faults = FaultyRank(prepared.experiment.faults, base)
    let base: any Communicator = faults?.communicator ?? base
    let metered = MeteredCommunicator(base)
    communicator = base
    ledger = metered.ledger
    keeper = FederatedKeeper(prepared, base)
    do {
      try Agreement.require(
        "another configuration", prepared.resolved.yaml(), "start all ranks with the same file and flags", base)
      if base.size > 1 {
        let fingerprint = prepared.dataset.fingerprint()
        try Agreement.require(
          "other data", fingerprint, "give all ranks the same files of \(prepared.dataset.name)", base)
        knownDataDigest = fingerprint
      }
      let task = prepared.task
      try MemoryEstimate(prepared, ranks: base.size).require(
        for: "the federation of \(task.model.name)", base, isFederation: true)
      let store = ParameterStore(task.layout)
      task.layout.initialise(store, seed: task.seed)
      if let weights = prepared.experiment.model.weights {
        try Agreement.together(base) { () throws(RunError) in
          do throws(CheckpointError) { _ = try Weights.load(weights, into: store) } catch { throw RunError(error) }
        }
      }
      engine = try FederatedEngine(
        task, prepared.experiment.federated.strategy, prepared.setting, model: store,
        threads: prepared.experiment.compute.threads, metered, remote: remote)
    } catch { throw RunError(error) }
  }

  /// Makes the faults ready that the configuration demands of this start of the run; without it none happens.  `run` is the
  /// directory of the run, which need not exist.  All ranks call it together, before anything is written there.
  public func armFaults(run: String?) throws(RunError) {
    try faults?.arm(run: run, shards: 1, totalSteps: prepared.task.rounds)
  }

  /// What is to fail when this rank writes; nil where nothing is.
  public var writeFaults: WriteFaults? { faults?.writes }

  /// Whether what becomes of every client is told: always where they are elsewhere, so that a run can be made again.
  var keepsLedger: Bool { prepared.experiment.federated.ledger || remote != nil }

  /// Keeps the run's checkpoints in a directory, which is rank 0's; with `resume` continues from the newest whole one.  All
  /// ranks call it together, before `run`.
  public func keepCheckpoints(in directory: RunDirectory?, resume: Bool) throws(RunError) {
    try keeper.keep(in: directory, engine, faults?.writes)
    if let note = keeper.note { notes.append(note) }
    guard resume else { return }
    let restored = try keeper.restore(engine)
    notes += restored.notes
    if let progress = restored.progress { go(on: progress) }
  }

  /// Continues from a checkpoint, wherever it lies, and keeps none.  All ranks call it together, before `run`, `replay` or
  /// `evaluate`; rank 0 names it.  What clients remember may be left out where none will be visited.
  public func resume(from checkpoint: Checkpoint?, withClients: Bool = true) throws(RunError) {
    if let progress = try keeper.restore(engine, from: checkpoint, withClients: withClients) { go(on: progress) }
  }

  private func go(on saved: TrainingProgress) {
    let restored = FederatedProgress.restored(saved)
    (progress, others) = (restored.progress, restored.others)
    (engine.simulatedSeconds, engine.simulatedSecondsBefore) = restored.simulatedSeconds
  }

  /// SHA-256 of the data, as ranks compare it; worked out once, at 1.7 GB/s.
  public func dataDigest() -> String {
    let digest = knownDataDigest ?? prepared.dataset.fingerprint()
    knownDataDigest = digest
    return digest
  }

  // MARK: Rounds

  /// Runs the rounds that are left.
  public func run() throws(RunError) -> FederatedSummary {
    do {
      observe { $0.began(start) }
      for note in notes { observe { $0.noted(note) } }
      try prepare()
      var test: RoundEvaluation?
      var clients: ClientReport?
      while progress.round < prepared.task.rounds {
        let record = try roundOrSave()
        let isLast = progress.round == prepared.task.rounds
        let wishes = try wishes()
        if isLast || progress.round % prepared.experiment.federated.evaluate == 0 { test = try evaluate() }
        if isJudgementDue { clients = try evaluateClients() }
        let digest = try ledgerDigest(isLast: isLast)
        observe { $0.roundEnded(RoundReport(record, self, digest: digest)) }
        if isLast || wishes.stop || isDue(prepared.experiment.checkpoint.every) || wishes.clock || remote != nil {
          try save()
          remote?.kept(progress.round - 1)
        }
        if wishes.stop, !isLast {
          throw RunError(
            .stopped, "stopped by a signal after round \(progress.round); the state is saved, --resume continues")
        }
      }
      if test == nil { test = try evaluate() }
      if clients == nil, isJudgementDue { clients = try evaluateClients() }
      guard progress.updates > 0 || progress.rejected == 0 else {
        throw RunError(
          .diverged,
          "none of \(progress.rejected) updates could be taken: all were not finite, or beyond 256 in a scalar; lower "
            + "optimizer.learning-rate")
      }
      let summary = try summary(test, clients)
      for line in try faults?.missed() ?? [] { observe { $0.noted(line) } }
      observe { $0.ended() }
      return summary
    } catch {
      // A rank that leaves on demand leaves in the midst of exchanges: others may still copy from its memory.
      if faults?.communicator.sharesProcess == true { _ = Unmanaged.passRetained(self) }
      throw RunError(error)
    }
  }

  /// Makes rounds again up to `last`, without evaluation and without keeping anything, and tells the digest after the rounds
  /// asked for, the present one included; ends where `confirm` returns false.  Collective.
  func replay(to last: Int, at rounds: Set<Int>, _ confirm: (_ round: Int, _ digest: String) -> Bool) throws(RunError) {
    do {
      var start = start
      start.rounds = last
      observe { $0.began(start) }
      defer { observe { $0.ended() } }
      try prepare()
      while true {
        if rounds.contains(progress.round) {
          guard confirm(progress.round, digest()) else { return }
        }
        guard progress.round < last else { return }
        let record = try round()
        observe { $0.roundEnded(RoundReport(record, self, digest: nil)) }
      }
    } catch { throw RunError(error) }
  }

  /// What comes before the first round; nothing where the federation goes on.
  private func prepare() throws {
    guard progress.round == 0 else { return }
    try sayingWhy { try engine.prepare { line in observe { $0.noted(line) } } }
  }

  /// Lets what one rank could not do fail on all with that rank's reason.
  private func sayingWhy<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as FederatedError {
      try Agreement.together(communicator) { () throws(RunError) in
        if let own = engine.failure { throw RunError(own) }
      }
      throw error
    }
  }

  /// One round, and what it adds to the progress.
  private func round() throws -> RoundRecord {
    let start = monotonicSeconds()
    try faults?.begin(step: progress.round + 1)
    let record = try sayingWhy { try engine.round(progress.round) }
    faults?.endStep()
    if let loss = record.loss, !loss.isFinite {
      throw RunError(
        .diverged, "the loss of round \(record.round) is not finite; lower optimizer.learning-rate or look at the data")
    }
    others = record.others
    progress.add(record, seconds: monotonicSeconds() - start)
    return record
  }

  /// One round; where a budget does not allow it, the state before it is kept.
  private func roundOrSave() throws -> RoundRecord {
    do { return try round() } catch let error as FederatedError where error.kind == .refused {
      if engine.isBetweenRounds, progress.round > 0 { try save() }
      throw error
    }
  }

  /// Whether any rank was asked to stop, and whether rank 0's clock wants a checkpoint; the same on all.
  private func wishes() throws -> (stop: Bool, clock: Bool) {
    let isOverdue = communicator.rank == 0 && keeper.isOverdue(prepared.experiment.checkpoint.every)
    var wishes: [Int32] = [StopSignal.number == nil ? 0 : 1, isOverdue ? 1 : 0]
    if communicator.size > 1 {
      try wishes.withUnsafeMutableBufferPointer { (wishes) throws in try communicator.allReduce(wishes, .sum) }
    }
    return (wishes[0] > 0, wishes[1] > 0)
  }

  /// Whether an interval of rounds ends with the present one.
  private func isDue(_ interval: Quantity?) -> Bool {
    guard let interval, interval.unit == "round" else { return false }
    return progress.round % interval.count == 0
  }

  private func save() throws {
    try requireSameParameters()
    try faults?.reach(.checkpoint)
    let saved = progress.checkpointed(
      simulatedSeconds: (engine.simulatedSeconds, engine.simulatedSecondsBefore), others: others)
    if let record = try keeper.save(saved, engine) { observe { $0.saved(record) } }
  }

  /// Where the digest is due after a round: makes sure that all ranks hold the same, and gives the SHA-256 to whoever follows
  /// the run.  Collective.
  private func ledgerDigest(isLast: Bool) throws -> String? {
    guard let interval = prepared.experiment.federated.digest, isLast || isDue(interval) else { return nil }
    try requireSameParameters()
    return observers.isEmpty ? nil : digest()
  }

  /// Throws on all ranks unless they hold the same broadcast and the same memory of the server; once a round.  Collective.
  private func requireSameParameters() throws {
    guard agreedRound != progress.round else { return }
    let memory = engine.memory.map(\.storage) + engine.server.results
    try ParameterAgreement.require(
      engine.broadcast.model, then: memory, step: progress.round, of: "round", communicator)
    agreedRound = progress.round
  }

  // MARK: Results

  /// The server's model on the test set, or on another one.  Collective.
  public func evaluate(on other: (any DataSource)? = nil) throws(RunError) -> RoundEvaluation {
    do { return try evaluated(other ?? prepared.dataset.test) } catch { throw RunError(error) }
  }

  private func evaluated(_ test: any DataSource) throws -> RoundEvaluation {
    let result = try engine.evaluate(test, chunk: prepared.experiment.evaluationBatch)
    let isClassification = prepared.task.objective.loss == .crossEntropy
    let evaluation = RoundEvaluation(loss: result.loss, accuracy: isClassification ? result.accuracy : nil)
    guard result.loss.isFinite else {
      throw RunError(
        .diverged, "the test loss after round \(progress.round) is not finite; lower optimizer.learning-rate")
    }
    observe {
      $0.evaluated(
        EvaluationRecord(
          set: "test", step: progress.steps, epoch: 0, loss: evaluation.loss, accuracy: evaluation.accuracy,
          seconds: progress.seconds, round: progress.round))
    }
    return evaluation
  }

  /// SHA-256 of the parameters, then of shared results such as prototypes.
  public func digest() -> String { Digest.parameters(engine.broadcast.model, then: engine.server.results) }

  func observe(_ tell: (any TrainingObserver) -> Void) {
    for observer in observers { tell(observer) }
  }

  /// What is about to be trained.
  public var start: FederationStart {
    FederationStart(
      name: prepared.experiment.name, model: prepared.task.model.name, parameters: prepared.task.layout.parameterCount,
      data: prepared.dataset.origin, samples: prepared.dataset.training.count,
      strategy: type(of: prepared.experiment.federated.strategy).name, clients: prepared.task.partition.clients,
      cohort: prepared.task.cohort, rounds: prepared.task.rounds, firstRound: progress.round, ranks: communicator.size,
      threads: prepared.experiment.compute.threads)
  }
}

/// The result of evaluating the server's model.
public struct RoundEvaluation: Sendable, Hashable {
  /// Mean loss.
  public let loss: Double
  /// Share of correct terms, for classes.
  public let accuracy: Double?
}
