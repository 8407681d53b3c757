import Federated
import Testing

@Suite("Methods against drift between clients, against the papers' equations in Float64")
struct LocalDriftTests {
  @Test("SCAFFOLD with everyone", arguments: [0, 0.9], [1.0, 0.5])
  func controlled(momentum: Double, eta: Double) throws {
    let outcome = try AveragingTrial(
      strategy: "{name: scaffold, eta-g: \(eta)}", rounds: 3,
      optimizer: "{name: sgd, learning-rate: 0.05, momentum: \(momentum)}")()
    var reference = AveragingReference(learningRate: 0.05, momentum: momentum)
    reference.cohorts.append([0, 1, 2, 3])
    expect(outcome, reference.scaffold(outcome.models[0], eta: eta), within: 5e-6)
  }

  @Test("SCAFFOLD's variate moves by the share of clients that moved theirs.", arguments: ["clients", "samples"])
  func partialCohorts(weighting: String) throws {
    let rounds = 6
    let outcome = try AveragingTrial(
      strategy: "scaffold",
      federated: "\(AveragingTrial.natural), batch: all, epochs: 3, cohort: 2, weighting: \(weighting)", rounds: rounds,
      optimizer: "{name: sgd, learning-rate: 0.05}")()
    let sampler = CohortSampler(.fixed(2), clients: 4, seed: 1)
    let cohorts = (0..<rounds).map { round in
      var cohort: [Int32] = []
      sampler.select(round: round, isAvailable: { _ in true }, into: &cohort, CohortScratch())
      return cohort.map(Int.init)
    }
    let reference = AveragingReference(learningRate: 0.05, cohorts: cohorts)
    expect(outcome, reference.scaffold(outcome.models[0], bySamples: weighting == "samples"), within: 1e-5)
  }

  @Test("SCAFFOLD's server variate is the mean of its clients'.")
  func variates() throws {
    let outcome = try AveragingTrial(strategy: "scaffold", optimizer: "{name: sgd, learning-rate: 0.05}")()
    // After a round of everyone c is the mean motion of all steps: each client's change over K η.
    let first = try AveragingTrial(strategy: "scaffold", rounds: 1, optimizer: "{name: sgd, learning-rate: 0.05}")()
    let control = try #require(first.memory["broadcast/control"])
    for i in control.indices {
      let motion = (Double(first.models[0][i]) - Double(first.models[1][i])) / (3 * 0.05)
      #expect(abs(Double(control[i]) - motion) < 1e-5)
    }
    #expect(outcome.memory["broadcast/control"] != control)
  }

  /// Clients whose batches are all alike make 6, 10, 16 and 8 steps: two passes in batches of one.
  private func nova(
    _ options: String, momentum: Double = 0
  ) throws -> (AveragingTrial.Outcome, AveragingReference) {
    let outcome = try AveragingTrial(
      strategy: "{name: fednova, \(options)}", federated: "\(AveragingTrial.natural), batch: 1, epochs: 2",
      optimizer: "{name: sgd, learning-rate: 0.03, momentum: \(momentum)}",
      data: LinearRegression.dataset(LinearRegression.monotonous))()
    let reference = AveragingReference(
      clients: LinearRegression.monotonous, learningRate: 0.03, steps: LinearRegression.sizes.map { 2 * $0 },
      momentum: momentum)
    return (outcome, reference)
  }

  @Test("FedNova", arguments: [0, 0.9], [0, 0.5])
  func normalised(momentum: Double, mu: Double) throws {
    let (outcome, reference) = try nova("mu: \(mu)", momentum: momentum)
    expect(outcome, reference.fedNova(outcome.models[0], mu: mu), within: 1e-5)
  }

  @Test("FedNova with momentum at the server")
  func serverMomentum() throws {
    let (outcome, reference) = try nova("server-momentum: 0.7", momentum: 0.5)
    expect(outcome, reference.fedNova(outcome.models[0], serverMomentum: 0.7), within: 1e-5)
  }

  @Test("FedNova of clients that make as many steps is FedAvg, to 1e-6.")
  func equalSteps() throws {
    let nova = try AveragingTrial(strategy: "fednova")()
    let average = try AveragingTrial(strategy: "fedavg")()
    for (x, y) in zip(nova.models[2], average.models[2]) { #expect(abs(x - y) < 1e-6) }
  }

  @Test("FedProx holds clients near the server's model.")
  func proximal() throws {
    let outcome = try AveragingTrial(strategy: "{name: fedprox, mu: 0.7}")()
    let reference = AveragingReference()
    var w = outcome.models[0].map(Double.init)
    let expected = reference.cohorts.map { cohort in
      w = reference.mean(cohort) { reference.trained($0, w, proximal: 0.7) }
      return w
    }
    expect(outcome, expected)
  }
}
