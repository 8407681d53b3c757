import Federated
import Layers

/// How the server's model and the clients' own do on the samples of clients.
public struct ClientReport: Sendable, Hashable {
  /// The server's model.
  public let model: ClientEvaluation
  /// Each client's own.
  public let personal: ClientEvaluation
  /// Whether targets are classes, so that accuracy means something.
  public let hasAccuracy: Bool

  func add(to object: inout JSONObject) {
    object["clients_evaluated"] = .integer(model.clients)
    for (name, result) in [("client", model), ("personal", personal)] {
      object["\(name)_loss"] = .number(result.loss)
      object["\(name)_loss_worst_decile"] = .number(result.worstLoss)
      object["\(name)_accuracy"] = hasAccuracy ? .number(result.accuracy) : .null
      object["\(name)_accuracy_worst_decile"] = hasAccuracy ? .number(result.worstAccuracy) : .null
    }
  }
}

extension FederatedLoop {
  /// Whether clients are to be judged now: every so many rounds, and at the end.
  var isJudgementDue: Bool {
    guard prepared.clientTest != nil else { return false }
    let every = prepared.experiment.federated.evaluation.every
    return progress.round == prepared.task.rounds || every.map { progress.round % $0 == 0 } == true
  }

  /// Judges clients on their own samples; personal models are trained as the last round's clients did.
  func evaluateClients() throws -> ClientReport? {
    guard let test = prepared.clientTest else { return nil }
    let result = try engine.evaluate(
      test, chunk: prepared.experiment.evaluationBatch, round: max(0, progress.round - 1))
    let report = ClientReport(
      model: result.model, personal: result.personal, hasAccuracy: prepared.task.objective.loss == .crossEntropy)
    for (set, result) in [("clients", report.model), ("personal", report.personal)] {
      observe {
        $0.evaluated(
          EvaluationRecord(
            set: set, step: progress.steps, epoch: 0, loss: result.loss,
            accuracy: report.hasAccuracy ? result.accuracy : nil, seconds: progress.seconds, round: progress.round,
            clients: result))
      }
    }
    return report
  }
}
