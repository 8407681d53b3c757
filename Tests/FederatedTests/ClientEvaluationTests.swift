import Configuration
import Datasets
import Federated
import Testing

@Suite("Judging clients one by one")
struct ClientEvaluationTests {
  static let samples = ["own-labels", "{name: holdout, share: 0.3}"]
  static let strategies = ["fedavg", "fedper", "ditto"]

  private func federation(_ strategy: String, _ samples: String, more: String = "") throws -> SmallFederation {
    try SmallFederation(
      "{strategy: \(strategy), clients: 23, cohort: 9, rounds: 3, partition: {name: classes, minimum: 4}, "
        + "evaluation: {samples: \(samples)\(more)}}")
  }

  @Test("Results have the same bits whatever the threads and ranks", arguments: strategies, samples)
  func invariance(_ strategy: String, _ samples: String) throws {
    let federation = try federation(strategy, samples)
    let reference = try federation.run { _ in true }.judgements
    #expect(reference.count == 3)
    for (ranks, threads) in [(1, 2), (2, 1), (3, 2)] {
      #expect(try federation.run(ranks: ranks, threads: threads) { _ in true }.judgements == reference)
    }
  }

  @Test("Training and what clients remember are the same with and without", arguments: strategies, samples)
  func nothingIsDisturbed(_ strategy: String, _ samples: String) throws {
    let federation = try federation(strategy, samples)
    let (watched, alone) = (try federation.run(threads: 2) { _ in true }, try federation.run(threads: 2))
    #expect(watched.bits == alone.bits)
    #expect(watched.states == alone.states)
    #expect(watched.records == alone.records)
  }

  @Test("A client that holds all classes is judged on the whole test set")
  func allLabels() throws {
    let federation = try SmallFederation(
      "{clients: 4, rounds: 2, evaluation: {samples: own-labels}}")
    let outcome = try federation.run { $0 == 1 }
    let model = try #require(outcome.judgements.first)[0]
    #expect(model.clients == 4)
    #expect(abs(model.accuracy - outcome.accuracy) < 1e-12)
    #expect(abs(model.worstAccuracy - outcome.accuracy) < 1e-12)
  }

  @Test("Clients of two classes know them better after training than the model of all does")
  func personalModels() throws {
    let outcome = try federation("fedavg", "own-labels").run { $0 == 2 }
    let (model, personal) = (outcome.judgements[0][0], outcome.judgements[0][1])
    #expect(model.clients == 23)
    #expect(personal.accuracy > model.accuracy + 0.1)
    #expect(personal.loss < model.loss)
    #expect(personal.worstAccuracy <= personal.accuracy && personal.worstLoss >= personal.loss)
  }

  @Test("As many clients are judged as asked, the same in every round")
  func someClients() throws {
    let federation = try federation("fedavg", "own-labels", more: ", clients: 5")
    let test = try #require(federation.test)
    #expect(test.clients.count == 5)
    #expect(test.clients == test.clients.sorted())
    #expect(try federation.run { $0 == 2 }.judgements[0].map(\.clients) == [5, 5])
  }

  @Test("What is held out is trained on by nobody, and all else is", arguments: [0.01, 0.2, 0.5, 0.99])
  func holdingOut(_ share: Double) throws {
    let plain = try SmallFederation("{clients: 30, rounds: 1, partition: {name: dirichlet, minimum: 0}}")
    let whole = plain.task.partition
    let (kept, heldOut) = whole.holdingOut(share, seed: 7)
    var (all, own, other): ([Int32], [Int32], [Int32]) = ([], [], [])
    for client in 0..<30 {
      whole.samples(of: client, into: &all)
      kept.samples(of: client, into: &own)
      heldOut.samples(of: client, into: &other)
      #expect((own + other).sorted() == all)
      let expected = min(max(1, Int((Double(all.count) * share).rounded())), all.count - 1)
      #expect(other.count == (all.count < 2 ? 0 : expected))
    }
    #expect(whole.holdingOut(share, seed: 7).kept.fingerprint() == kept.fingerprint())
    #expect(whole.holdingOut(share, seed: 8).kept.fingerprint() != kept.fingerprint())
  }

  @Test("The worst tenth is rounded up, and what is not a number counts among the largest losses")
  func worstTenth() {
    let result = ClientEvaluation(losses: (1...21).map(Double.init), accuracies: (1...21).map { Double($0) / 21 })
    #expect(result.clients == 21)
    #expect(result.loss == 11 && result.worstLoss == 20)
    #expect(abs(result.accuracy - 11.0 / 21) < 1e-15 && abs(result.worstAccuracy - 2.0 / 21) < 1e-15)
    #expect(ClientEvaluation(losses: [.nan, 1], accuracies: [0, 1]).worstLoss.isNaN)
    #expect(ClientEvaluation(losses: [3], accuracies: [1]).worstLoss == 3)
  }

  @Test(
    "What cannot be judged is refused with a way out",
    arguments: [
      ("{clients: 10, rounds: 1, evaluation: {samples: own-labels, clients: 11}}", "lower it to at most 10"),
      ("{clients: 10, rounds: 1, partition: resample, evaluation: {samples: holdout}}", "use own-labels"),
      ("{clients: 10, rounds: 1, evaluation: {samples: {name: holdout, share: 1}}}", "below 1"),
      ("{clients: 10, rounds: 1, evaluation: {samples: {name: holdout, share: 0}}}", "above 0"),
      ("{clients: 10, rounds: 1, evaluation: {samples: own-labels, every: 0}}", "every"),
      ("{clients: 10, rounds: 1, evaluation: {samples: own-label}}", "did you mean `own-labels`?"),
      (
        "{clients: 1000, rounds: 1, partition: {name: iid, minimum: 1}, evaluation: {samples: holdout, clients: 1}}",
        "none of 1 clients has samples to be judged on"
      ),
    ])
  func refusals(_ federated: String, _ message: String) {
    let error = #expect(throws: ConfigurationError.self) { try SmallFederation(federated) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test("Clients of a resampled partition are judged on their labels")
  func resampled() throws {
    let outcome = try SmallFederation(
      "{clients: 3000, cohort: 5, rounds: 1, partition: {name: resample, samples: 3}, evaluation: {samples: own-labels}}"
    ).run { _ in true }
    #expect(outcome.judgements[0].map(\.clients) == [1000, 1000])
  }
}
