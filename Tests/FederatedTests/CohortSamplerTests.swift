import Federated
import Tensors
import Testing

@Suite("Cohorts")
struct CohortSamplerTests {
  private func cohort(
    _ sampler: CohortSampler, _ round: Int, _ scratch: CohortScratch = CohortScratch(),
    _ isAvailable: (Int) -> Bool = { _ in true }
  ) -> [Int32] {
    var cohort: [Int32] = []
    sampler.select(round: round, isAvailable: isAvailable, into: &cohort, scratch)
    return cohort
  }

  @Test(
    "A fixed cohort has its size, ascends, and lies in the population",
    arguments: [(0, 1), (1, 1), (7, 7), (100, 100), (10, 1_000), (1_000, 1_000_000), (1_000, Int(Int32.max))])
  func fixed(size: Int, clients: Int) {
    let sampler = CohortSampler(.fixed(size), clients: clients, seed: 3)
    let scratch = CohortScratch()
    for round in 0..<5 {
      let cohort = cohort(sampler, round, scratch)
      #expect(cohort.count == size)
      #expect(zip(cohort, cohort.dropFirst()).allSatisfy { $0 < $1 })
      #expect(cohort.allSatisfy { $0 >= 0 && Int($0) < clients })
      if size == clients { #expect(cohort == Array(0..<Int32(clients))) }
    }
  }

  @Test("A cohort is a function of seed, round and who can be asked, and is appended")
  func purity() {
    let kinds: [CohortSampler.Kind] = [.fixed(50), .poisson(rate: 0.05)]
    for kind in kinds {
      let sampler = CohortSampler(kind, clients: 1_000, seed: 1)
      let used = CohortScratch()
      for round in 0..<20 { _ = cohort(sampler, round, used) }
      let odd = { (client: Int) in client % 2 == 1 }
      #expect(cohort(sampler, 7, used) == cohort(sampler, 7))
      #expect(cohort(sampler, 7, used, odd) == cohort(sampler, 7, CohortScratch(), odd))
      #expect(cohort(sampler, 7) != cohort(sampler, 8))
      #expect(cohort(sampler, 7) != cohort(CohortSampler(kind, clients: 1_000, seed: 2), 7))
      var both: [Int32] = [-5, -9]
      sampler.select(round: 7, isAvailable: { _ in true }, into: &both, used)
      #expect(both == [-5, -9] + cohort(sampler, 7))
    }
  }

  /// Draws that must have the chi-square statistic of equally likely outcomes, with its degrees of freedom.
  private func expectUniform(_ counts: [Int], sourceLocation: SourceLocation = #_sourceLocation) {
    let expected = Double(counts.reduce(0, +)) / Double(counts.count)
    let statistic = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    let freedom = Double(counts.count - 1)
    // Within five standard deviations of its mean, on both sides: too even is as suspicious as too uneven.
    #expect(abs(statistic - freedom) < 5 * (2 * freedom).squareRoot(), sourceLocation: sourceLocation)
  }

  @Test(
    "Every set of available clients is equally likely, asked one by one or all looked at",
    arguments: [1 << 20, 0], [false, true])
  func uniformity(patience: Int, someAway: Bool) {
    // Three of six; where some are away, of nine with every third away.  One of 300, for the scan to be reached.
    let there = someAway ? [0, 1, 3, 4, 6, 7] : Array(0..<6)
    let clients = patience == 0 ? 400 : there.count + (someAway ? 3 : 0)
    let sampler = CohortSampler(.fixed(3), clients: clients, seed: 11, patience: patience)
    let members = Set(patience == 0 ? there.map { $0 + 17 } : there)
    let scratch = CohortScratch()
    var counts: [[Int32]: Int] = [:]
    for round in 0..<20_000 { counts[cohort(sampler, round, scratch, members.contains), default: 0] += 1 }
    #expect(counts.count == 20)
    #expect(counts.keys.allSatisfy { $0.count == 3 && $0.allSatisfy { members.contains(Int($0)) } })
    expectUniform(Array(counts.values))
  }

  @Test("Every client of a large population is equally likely")
  func marginals() {
    let sampler = CohortSampler(.fixed(100), clients: 1_000_000_000, seed: 5)
    let scratch = CohortScratch()
    var counts = [Int](repeating: 0, count: 64)
    for round in 0..<1_000 {
      for client in cohort(sampler, round, scratch) { counts[Int(client) * 64 / 1_000_000_000] += 1 }
    }
    expectUniform(counts)
  }

  @Test("Where fewer can be asked than wanted, all of them are", arguments: [0, 1 << 20])
  func scarcity(patience: Int) {
    let sampler = CohortSampler(.fixed(10), clients: 5_000, seed: 1, patience: patience)
    #expect(cohort(sampler, 0, CohortScratch(), { $0 % 1_000 == 3 }) == [3, 1_003, 2_003, 3_003, 4_003])
    #expect(cohort(sampler, 0, CohortScratch(), { _ in false }) == [])
  }

  @Test("Only who is needed is asked")
  func asking() {
    var asked = 0
    _ = cohort(CohortSampler(.fixed(1_000), clients: 1_000_000_000, seed: 1), 0, CohortScratch()) { _ in
      asked += 1
      return true
    }
    #expect(asked == 1_000)
  }

  @Test(
    "A Poisson cohort takes each client with the rate",
    arguments: [(0.0, 50), (1.0, 50), (0.5, 50), (0.01, 1_000), (1e-6, 1_000_000_000)])
  func poisson(rate: Double, clients: Int) {
    let sampler = CohortSampler(.poisson(rate: rate), clients: clients, seed: 2)
    let rounds = 2_000
    let scratch = CohortScratch()
    var sizes = 0
    var squares = 0
    var counts = [Int](repeating: 0, count: 50)
    for round in 0..<rounds {
      let cohort = cohort(sampler, round, scratch)
      #expect(zip(cohort, cohort.dropFirst()).allSatisfy { $0 < $1 })
      sizes += cohort.count
      squares += cohort.count * cohort.count
      for client in cohort { counts[Int(client) * 50 / clients] += 1 }
    }
    let mean = Double(sizes) / Double(rounds)
    let variance = Double(squares) / Double(rounds) - mean * mean
    let expected = rate * Double(clients)
    let deviation = (expected * (1 - rate)).squareRoot()
    #expect(abs(mean - expected) <= 5 * deviation / Double(rounds).squareRoot())
    #expect(abs(variance - deviation * deviation) <= 0.25 * deviation * deviation + 1e-9)
    if rate > 0 && rate < 1 {
      // The counts of a part are binomial, so less uneven than Poisson by 1 − rate.
      let even = Double(sizes) / 50
      let statistic = counts.reduce(0) { $0 + (Double($1) - even) * (Double($1) - even) / (even * (1 - rate)) }
      #expect(abs(statistic - 49) < 50)
    }
  }

  @Test("Who cannot be asked is in no Poisson cohort, and changes nothing for others")
  func poissonAvailability() {
    let sampler = CohortSampler(.poisson(rate: 0.3), clients: 300, seed: 2)
    for round in 0..<50 {
      let all = cohort(sampler, round)
      #expect(cohort(sampler, round, CohortScratch(), { $0 % 3 == 0 }) == all.filter { $0 % 3 == 0 })
    }
  }
}
