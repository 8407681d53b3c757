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
  var notes: [String] = []
  /// What the last round has told beside the usual, by name.
  private(set) var others: [String: Double] = [:]

  /// Builds everything a rank needs and makes sure that ranks and data go together, before anything is written.  All ranks
  /// call it together.
  public init(_ prepared: PreparedFederation, _ base: any Communicator) throws(RunError) {
    self.prepared = prepared
    let metered = MeteredCommunicator(base)
    communicator = base
    ledger = metered.ledger
    do {
      try Agreement.require(
        "another configuration", prepared.resolved.yaml(), "start all ranks with the same file and flags", base)
      if base.size > 1 {
        try Agreement.require(
          "other data", prepared.dataset.fingerprint(), "give all ranks the same files of \(prepared.dataset.name)",
          base)
      }
      let task = prepared.task
      let store = ParameterStore(task.layout)
      task.layout.initialise(store, seed: task.seed)
      if let weights = prepared.experiment.model.weights {
        try Agreement.together(base) { () throws(RunError) in
          do throws(CheckpointError) { _ = try Weights.load(weights, into: store) } catch { throw RunError(error) }
        }
      }
      engine = try FederatedEngine(
        task, prepared.experiment.federated.strategy, prepared.setting, model: store,
        threads: prepared.experiment.compute.threads, metered)
    } catch { throw RunError(error) }
  }

  /// Runs the rounds that are left.
  public func run() throws(RunError) -> FederatedSummary {
    do {
      observe { $0.began(start) }
      for note in notes { observe { $0.noted(note) } }
      if progress.round == 0 { try engine.prepare { line in observe { $0.noted(line) } } }
      var test: RoundEvaluation?
      var clients: ClientReport?
      while progress.round < prepared.task.rounds {
        let record = try round()
        let isLast = progress.round == prepared.task.rounds
        if isLast || progress.round % prepared.experiment.federated.evaluate == 0 { test = try evaluate() }
        if isJudgementDue { clients = try evaluateClients() }
        observe { $0.roundEnded(RoundReport(record, self, digest: nil)) }
        if try isStopRequested() {
          throw RunError(.stopped, "stopped by a signal after round \(progress.round)")
        }
      }
      if test == nil { test = try evaluate() }
      if clients == nil, isJudgementDue { clients = try evaluateClients() }
      let summary = try summary(test, clients)
      observe { $0.ended() }
      return summary
    } catch { throw RunError(error) }
  }

  /// One round, and what it adds to the progress.
  private func round() throws -> RoundRecord {
    let start = monotonicSeconds()
    let record: RoundRecord
    do { record = try engine.round(progress.round) } catch let error as FederatedError {
      try Agreement.together(communicator) { () throws(RunError) in
        if let own = engine.failure { throw RunError(own) }
      }
      throw error
    }
    if let loss = record.loss, !loss.isFinite {
      throw RunError(
        .diverged, "the loss of round \(record.round) is not finite; lower optimizer.learning-rate or look at the data")
    }
    others = record.others
    progress.add(record, seconds: monotonicSeconds() - start)
    return record
  }

  /// Whether any rank was asked to stop; the same on all.
  private func isStopRequested() throws -> Bool {
    var asked: [Int32] = [StopSignal.number == nil ? 0 : 1]
    if communicator.size > 1 {
      try asked.withUnsafeMutableBufferPointer { (asked) throws in try communicator.allReduce(asked, .sum) }
    }
    return asked[0] > 0
  }

  private func evaluate() throws -> RoundEvaluation {
    let test = prepared.dataset.test
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
