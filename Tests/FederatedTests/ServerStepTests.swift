import Federated
import Testing

@Suite("What servers make of mean changes, against the papers' equations in Float64")
struct ServerStepTests {
  private let reference = AveragingReference()

  @Test(arguments: [(0.9, 1.0), (0.5, 0.3), (0.0, 1.5)])
  func momentum(beta: Double, eta: Double) throws {
    let outcome = try AveragingTrial(strategy: "{name: fedavgm, beta: \(beta), eta: \(eta)}")()
    expect(outcome, reference.fedAvgM(outcome.models[0], beta: beta, eta: eta))
  }

  @Test func adagrad() throws {
    let outcome = try AveragingTrial(strategy: "{name: fedadagrad, eta: 0.2, tau: 0.01}", rounds: 3)()
    var reference = reference
    reference.cohorts.append([0, 1, 2, 3])
    expect(outcome, reference.adaptive(outcome.models[0], .adagrad, eta: 0.2, beta1: 0, beta2: 0, tau: 0.01))
  }

  @Test(arguments: [("fedyogi", AveragingReference.Adaptive.yogi), ("fedadam", .adam)])
  func adaptive(name: String, kind: AveragingReference.Adaptive) throws {
    let outcome = try AveragingTrial(strategy: "{name: \(name), eta: 0.05, beta1: 0.8, beta2: 0.7, tau: 0.02}")()
    expect(outcome, reference.adaptive(outcome.models[0], kind, eta: 0.05, beta1: 0.8, beta2: 0.7, tau: 0.02))
  }

  @Test("Defaults are the papers'.", arguments: [("fedyogi", AveragingReference.Adaptive.yogi), ("fedadam", .adam)])
  func defaults(name: String, kind: AveragingReference.Adaptive) throws {
    let outcome = try AveragingTrial(strategy: name)()
    expect(outcome, reference.adaptive(outcome.models[0], kind, eta: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3))
  }

  @Test("A gradient is over all samples, however many are computed at once.", arguments: ["all", "1", "3", "8"])
  func wholeGradients(batch: String) throws {
    let outcome = try AveragingTrial(
      strategy: "fedsgd", federated: "\(AveragingTrial.natural), batch: \(batch)",
      optimizer: "{name: sgd, learning-rate: 0.1, momentum: 0.9}")()
    expect(outcome, reference.fedSGD(outcome.models[0], momentum: 0.9))
    #expect(outcome.memory.keys.contains("server/momentum"))
    #expect(outcome.records.map(\.steps) == [4, 4])
  }

  @Test("Clipping is of a client's whole gradient.")
  func clipping() throws {
    let outcome = try AveragingTrial(
      strategy: "fedsgd", federated: "\(AveragingTrial.natural), batch: 1", rounds: 1, training: "{clip: 0.001}")()
    let squares = zip(outcome.models[0], outcome.models[1]).map { ($1 - $0) * ($1 - $0) }
    let norm = squares.reduce(0, +).squareRoot()
    // A mean of four gradients of that norm in different directions, times the learning rate.
    #expect(norm > 0.00002 && norm <= 0.000101)
  }

  @Test("Adam at the server of FedSGD moves every scalar by the learning rate at first.")
  func optimizerOfTheServer() throws {
    let outcome = try AveragingTrial(
      strategy: "fedsgd", federated: AveragingTrial.natural, rounds: 1,
      optimizer: "{name: adam, learning-rate: 0.01}")()
    for (before, after) in zip(outcome.models[0], outcome.models[1]) {
      #expect(abs(abs(Double(after) - Double(before)) - 0.01) < 1e-6)
    }
  }
}

@Suite("Signs are voted on")
struct SignVoteTests {
  @Test("The majority moves a scalar by η, a tie does not.", arguments: ["gradient", "change"])
  func majority(of kind: String) throws {
    let isOfChange = kind == "change"
    let outcome = try AveragingTrial(
      strategy: "{name: signsgd, of: \(kind), eta: 0.25}",
      federated: "\(AveragingTrial.natural), batch: all, epochs: \(isOfChange ? 3 : 1)", rounds: 4)()
    var reference = AveragingReference()
    reference.cohorts = Array(repeating: [0, 1, 2, 3], count: 4)
    expect(outcome, reference.signSGD(outcome.models[0], eta: 0.25, ofChange: isOfChange))
    // Both happened.
    let moves = zip(outcome.models, outcome.models.dropFirst()).flatMap { zip($0, $1).map { $1 - $0 } }
    #expect(moves.contains(0) && moves.contains { $0 != 0 })
  }

  @Test("A vote is a bit.")
  func bytes() throws {
    let outcome = try AveragingTrial(strategy: "signsgd", federated: AveragingTrial.natural)()
    #expect(outcome.records.map(\.bytesUp) == [4, 4])
  }

  @Test("A scalar that never moves is not carried away: its votes are coins.")
  func zeros() throws {
    // The first feature is 0 for everyone.
    let clients = LinearRegression.clients.map { samples in samples.map { [0] + $0.dropFirst() } }
    let outcome = try AveragingTrial(
      strategy: "{name: signsgd, eta: 1}", federated: AveragingTrial.natural, rounds: 400,
      data: LinearRegression.dataset(clients))()
    let moves = zip(outcome.models, outcome.models.dropFirst()).map { $1[0] - $0[0] }
    let (ups, downs) = (moves.count { $0 > 0.5 }, moves.count { $0 < -0.5 })
    // Of four coins, 5 of 16 have a majority on each side: 125 of 400, give or take 9.
    #expect(80...170 ~= ups && 80...170 ~= downs)
  }
}

/// Each round's model is the reference's, as far as Float32 goes.
func expect(
  _ outcome: AveragingTrial.Outcome, _ expected: [[Double]], within tolerance: Double = 2e-6,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(outcome.models.count == expected.count + 1, sourceLocation: sourceLocation)
  for (round, (found, expected)) in zip(outcome.models.dropFirst(), expected).enumerated() {
    let largest = zip(found, expected).map { abs(Double($0) - $1) / max(1, abs($1)) }.max() ?? .infinity
    #expect(largest <= tolerance, "round \(round + 1) is \(largest) off", sourceLocation: sourceLocation)
    #expect(found.count == expected.count, sourceLocation: sourceLocation)
  }
}
