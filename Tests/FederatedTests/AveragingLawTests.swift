import Federated
import Testing

/// The methods that average, of which no two are the same.
private let methods = [
  "fedsgd", "fedavg", "fedavgm", "{name: fedprox, mu: 0.5}", "scaffold", "fednova", "fedadagrad", "fedyogi", "fedadam",
  "signsgd", "{name: signsgd, of: change}",
]

/// Clients of different sizes with the digits, in a network with states.
private func digits(_ strategy: String, rounds: Int = 3) -> AveragingTrial {
  AveragingTrial(
    strategy: strategy,
    federated: "clients: 12, cohort: 5, batch: 16, partition: {name: dirichlet, alpha: 1, minimum: 5}",
    rounds: rounds, optimizer: "{name: sgd, learning-rate: 0.05}",
    model: "{layers: [flatten, {linear: 12}, batch-norm, relu, {linear: 10}]}", data: nil)
}

/// Clients of 40 digits each.
private func equal(_ strategy: String, rounds: Int) -> AveragingTrial {
  AveragingTrial(
    strategy: strategy, federated: "clients: 9, cohort: 4, batch: 16, partition: {name: resample, samples: 40}",
    rounds: rounds, optimizer: "{name: sgd, learning-rate: 0.05, momentum: 0.5}",
    model: "{layers: [flatten, {linear: 12}, batch-norm, relu, {linear: 10}]}", data: nil)
}

@Suite("Averaging, whoever computes it")
struct AveragingInvarianceTests {
  @Test("Threads and ranks leave no trace.", arguments: methods)
  func invariance(strategy: String) throws {
    let alone = try digits(strategy)()
    for (threads, ranks) in [(2, 1), (1, 2), (2, 3)] {
      var trial = digits(strategy)
      trial.threads = threads
      trial.ranks = ranks
      let outcome = try trial()
      #expect(outcome.bits == alone.bits, "\(threads) threads, \(ranks) ranks")
      #expect(outcome.records == alone.records)
      // Bits that travel may be no numbers.
      let memories = [outcome, alone].map { $0.memory.mapValues { $0.map(\.bitPattern) } }
      #expect(memories[0] == memories[1])
    }
  }

  @Test("No method is another under a different name.")
  func differences() throws {
    let outcomes = try methods.map { try digits($0)().bits }
    #expect(Set(outcomes).count == methods.count)
  }

  @Test("Rounds move the model and keep it finite.", arguments: methods)
  func motion(strategy: String) throws {
    let outcome = try digits(strategy)()
    #expect(outcome.models.allSatisfy { $0.allSatisfy(\.isFinite) })
    for (before, after) in zip(outcome.models, outcome.models.dropFirst()) { #expect(before != after) }
    #expect(outcome.records.allSatisfy { $0.updates == 5 && $0.rejected == 0 })
  }
}

@Suite("What methods have in common")
struct AveragingIdentityTests {
  @Test(
    "With these options it is FedAvg to the bit.",
    arguments: ["{name: fedprox, mu: 0}", "{name: fedavgm, beta: 0, eta: 1}"])
  func fedAvg(strategy: String) throws {
    #expect(try digits(strategy)().bits == digits("fedavg")().bits)
  }

  @Test("SCAFFOLD's first round of equal clients is FedAvg's to the bit, and the second is not.")
  func firstRound() throws {
    #expect(try equal("scaffold", rounds: 1)().bits == equal("fedavg", rounds: 1)().bits)
    #expect(try equal("scaffold", rounds: 2)().bits != equal("fedavg", rounds: 2)().bits)
  }

  @Test("SCAFFOLD weighs clients alike, unless it is told to weigh them by samples.")
  func weighting() throws {
    func weighed(_ strategy: String, _ weighting: String) throws -> [UInt32] {
      var trial = digits(strategy, rounds: 1)
      trial.federated += ", weighting: \(weighting)"
      return try trial().bits
    }
    #expect(try digits("scaffold", rounds: 1)().bits == weighed("fedavg", "clients"))
    #expect(try weighed("scaffold", "samples") == digits("fedavg", rounds: 1)().bits)
  }

  @Test("FedSGD is FedAvg of one step, but for rounding.")
  func oneStep() throws {
    func run(_ strategy: String) throws -> [Float] {
      var trial = digits(strategy, rounds: 1)
      trial.federated = trial.federated.replacing("batch: 16", with: "batch: all")
      return try trial().models[1]
    }
    for (x, y) in zip(try run("fedsgd"), try run("fedavg")) { #expect(abs(x - y) <= 1e-6 * max(1, abs(y))) }
  }

  @Test(
    "Steps of the server are of parameters; running statistics are plainly averaged.",
    arguments: ["fedavgm", "fedadagrad", "fedyogi", "fedadam", "fednova", "{name: signsgd, of: change}"])
  func states(strategy: String) throws {
    let average = try digits("fedavg", rounds: 1)().models[1]
    let other = try digits(strategy, rounds: 1)().models[1]
    // Mean and variance of twelve units.
    #expect(other.suffix(24).map(\.bitPattern) == average.suffix(24).map(\.bitPattern))
  }
}

@Suite("Clients that do not manage all passes")
struct StragglerTests {
  private func run(_ options: String) throws -> AveragingTrial.Outcome {
    try AveragingTrial(
      strategy: "fedprox",
      federated: "clients: 30, cohort: 10, batch: all, epochs: 5, partition: iid, \(options)", rounds: 40, data: nil)()
  }

  @Test("Their share of every cohort makes 1 to E − 1 passes and counts.")
  func partial() throws {
    let records = try run("stragglers: 0.9").records
    // One client with five steps, and nine with 1 to 4.
    #expect(records.allSatisfy { $0.updates == 10 && 14...41 ~= $0.steps })
    let mean = Double(records.reduce(0) { $0 + $1.steps }) / 40
    // 5 + 9 · 2.5, give or take 0.53 for the mean of 40 rounds.
    #expect(abs(mean - 27.5) < 2.2)
  }

  @Test("Or they are left out.")
  func dropped() throws {
    let records = try run("stragglers: 0.9, straggler-policy: drop").records
    #expect(records.allSatisfy { $0.updates == 1 && $0.lost == 9 && $0.steps == 5 })
  }

  @Test("Who is slow changes from round to round.")
  func different() throws {
    let records = try run("stragglers: 0.5").records
    #expect(Set(records.map(\.steps)).count > 5)
  }
}

@Suite("Options that averaging refuses")
struct AveragingOptionTests {
  @Test(arguments: [
    ("{name: fedavgm, beta: 1}", "beta"), ("{name: fedavgm, eta: 0}", "eta"), ("{name: fedadam, tau: 0}", "tau"),
    ("{name: fedadam, beta1: 1}", "beta1"), ("{name: fedyogi, beta2: -0.1}", "beta2"),
    ("{name: fedadagrad, beta2: 0.9}", "beta2"), ("{name: fednova, mu: -1}", "mu"),
    ("{name: fednova, server-momentum: 1}", "server-momentum"), ("{name: scaffold, eta-g: 0}", "eta-g"),
    ("{name: signsgd, of: loss}", "of"), ("{name: signsgd, eta: -1}", "eta"), ("{name: fedsgd, mu: 1}", "mu"),
  ])
  func values(strategy: String, key: String) throws {
    let message = try refusal(AveragingTrial(strategy: strategy, federated: AveragingTrial.natural))
    #expect(message.contains("strategy.\(key) ") || message.contains("unknown key `\(key)`"), "\(message)")
  }

  @Test(
    "Methods that count gradients refuse optimizers whose steps are no sums of them.",
    arguments: ["scaffold", "fednova"], ["adam", "rmsprop"])
  func optimizers(strategy: String, optimizer: String) throws {
    let message = try refusal(AveragingTrial(strategy: strategy, optimizer: optimizer))
    #expect(message.contains(strategy) && message.contains(optimizer) && message.contains("optimizer: sgd"))
  }

  @Test("One gradient is not several passes.", arguments: ["fedsgd", "signsgd"], ["epochs: 2", "steps: 5"])
  func passes(strategy: String, key: String) throws {
    let trial = AveragingTrial(strategy: strategy, federated: "\(AveragingTrial.natural), \(key)")
    #expect(try refusal(trial).contains("federated.epochs"))
  }

  private func refusal(_ trial: AveragingTrial) throws -> String {
    do {
      try trial.check()
    } catch { return "\(error)" }
    throw AveragingTrial.Disagreement()
  }
}
