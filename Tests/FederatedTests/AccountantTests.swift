import Federated
import Foundation
import Testing

@Suite("Privacy accountants")
struct AccountantTests {
  private func rdp(_ rate: Double, _ z: Double, _ rounds: Int) -> RDPAccountant {
    var accountant = RDPAccountant()
    accountant.spend(.poisson(rate: rate), noiseMultiplier: z, rounds: rounds)
    return accountant
  }

  /// Rate, noise, rounds, ε by Rényi orders, ε by loss distributions: computed with Google's dp_accounting, δ = 10⁻⁵.
  static let vectors: [(Double, Double, Int, Double, Double)] = [
    (1, 4, 10, 3.6171, 3.3414),
    (0.01, 1, 1000, 2.1014, 1.8282),
    (256 / 60000, 1.1, 14062, 2.5966, 2.3817),
  ]

  @Test("ε of the reference, to four digits", arguments: vectors)
  func reference(_ rate: Double, _ z: Double, _ rounds: Int, _ renyi: Double, _ loss: Double) {
    #expect(abs(rdp(rate, z, rounds).epsilon(delta: 1e-5) - renyi) < 6e-5)
    let tight = PLDAccountant(rate: rate, noiseMultiplier: z)
    #expect(abs(tight.epsilon(delta: 1e-5, rounds: rounds) - loss) < 6e-5)
    #expect(abs(tight.delta(epsilon: tight.epsilon(delta: 1e-5, rounds: rounds), rounds: rounds) - 1e-5) < 1e-10)
  }

  @Test(
    "δ of the reference",
    arguments: [(1.0, 3.0.squareRoot(), 3, 0.126937), (0.2, 0.5, 3, 0.155933), (0.2, 0.5, 1, 0.0578404)]
      as [(Double, Double, Int, Double)])
  func delta(_ rate: Double, _ z: Double, _ rounds: Int, _ delta: Double) {
    // The last by quadrature in mpmath.
    #expect(abs(PLDAccountant(rate: rate, noiseMultiplier: z).delta(epsilon: 1, rounds: rounds) - delta) < 6e-7)
    #expect(rdp(rate, z, rounds).delta(epsilon: 1) >= delta)
  }

  @Test(
    "Rounds of the whole population are one round of less noise: never below its closed form",
    arguments: [1, 2, 10, 1000])
  func closedForm(_ rounds: Int) {
    let z = 4.0
    let mu = Double(rounds).squareRoot() / z
    func share(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
    let accountant = PLDAccountant(rate: 1, noiseMultiplier: z)
    for epsilon in [0.0, 0.3, 1, 3, 8] {
      let exact = share(mu / 2 - epsilon / mu) - exp(epsilon) * share(-mu / 2 - epsilon / mu)
      let delta = accountant.delta(epsilon: epsilon, rounds: rounds)
      // Roundoff of the transforms grows with the rounds.
      #expect(delta >= exact - 1e-14 * Double(rounds + 10), "short by \(exact - delta) at ε \(epsilon)")
      #expect(delta < exact + 1e-6 * max(exact, 1e-4))
    }
  }

  @Test(
    "Rényi divergence of a subsampled round: quadrature in mpmath, 40 digits",
    arguments: [
      (0.01, 1, 7.8, 0.0008475661386), (0.01, 1, 1.5, 0.0001272537433), (0.01, 1, 8, 0.0008936439076),
      (256 / 60000, 1.1, 8.1, 9.965972762e-5), (0.2, 0.5, 2.5, 2.348199191), (0.5, 2, 20, 1.779658884),
    ] as [(Double, Double, Double, Double)])
  func divergence(_ rate: Double, _ z: Double, _ order: Double, _ expected: Double) throws {
    let index = try #require(RDPAccountant.orders.firstIndex(of: order))
    let divergence = rdp(rate, z, 1).divergences[index]
    #expect(abs(divergence - expected) < 1e-8 * expected)
  }

  @Test("Rounds add up, more noise and fewer rounds cost less, and loss distributions are tighter")
  func order() {
    var parts = rdp(0.05, 1.2, 30)
    parts.spend(.poisson(rate: 0.05), noiseMultiplier: 1.2, rounds: 70)
    #expect(abs(parts.epsilon(delta: 1e-6) - rdp(0.05, 1.2, 100).epsilon(delta: 1e-6)) < 1e-12)
    var last = 0.0
    for rounds in [0, 1, 10, 100, 1000] {
      let loose = rdp(0.05, 1.2, rounds).epsilon(delta: 1e-6)
      let tight = PLDAccountant(rate: 0.05, noiseMultiplier: 1.2).epsilon(delta: 1e-6, rounds: rounds)
      #expect(tight <= loose && loose >= last)
      last = loose
    }
    #expect(rdp(0.05, 2, 100).epsilon(delta: 1e-6) < rdp(0.05, 1.2, 100).epsilon(delta: 1e-6))
    #expect(rdp(0.05, 0, 1).epsilon(delta: 1e-6) == .infinity)
    #expect(RDPAccountant(divergences: parts.divergences).epsilon(delta: 1e-6) == parts.epsilon(delta: 1e-6))
  }

  @Test(
    "Every order is finite for rates and noise of practice", arguments: [1e-5, 0.001, 0.1, 0.9, 1], [0.3, 1, 10, 100])
  func finite(_ rate: Double, _ z: Double) {
    let divergences = rdp(rate, z, 1).divergences
    #expect(divergences.allSatisfy { $0.isFinite && $0 >= 0 })
    // ε(α) grows with α.
    #expect(zip(divergences, divergences.dropFirst()).allSatisfy { $0 <= $1 * (1 + 1e-9) + 1e-15 })
  }

  @Test("Fixed cohorts cost more than Poisson ones, and never more than everyone taking part")
  func fixed() {
    func epsilon(_ cohort: Int) -> Double {
      var accountant = RDPAccountant()
      accountant.spend(.fixed(cohort: cohort, population: 1000), noiseMultiplier: 4, rounds: 100)
      return accountant.epsilon(delta: 1e-5)
    }
    #expect(epsilon(0) == 0)
    #expect(epsilon(10) > rdp(0.01, 4, 100).epsilon(delta: 1e-5))
    #expect(epsilon(10) < epsilon(100) && epsilon(100) <= epsilon(1000))
    // Theorem 9 literally, in mpmath with 40 digits.
    #expect(abs(epsilon(10) - 0.477423094524) < 1e-6)
    // All clients: a Gaussian of sensitivity 2C.
    #expect(abs(epsilon(1000) - rdp(1, 2, 100).epsilon(delta: 1e-5)) < 1e-9)
  }

  @Test("A budget pays for as many rounds as stay within it")
  func budget() {
    let accountant = PLDAccountant(rate: 0.01, noiseMultiplier: 1)
    let rounds = accountant.rounds(epsilon: 1, delta: 1e-5, limit: 5000)
    #expect(accountant.epsilon(delta: 1e-5, rounds: rounds) <= 1)
    #expect(accountant.epsilon(delta: 1e-5, rounds: rounds + 1) > 1)
    #expect(accountant.rounds(epsilon: 0, delta: 1e-5, limit: 10) == 0)
  }
}
