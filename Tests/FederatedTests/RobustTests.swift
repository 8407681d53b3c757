import Configuration
import Federated
import Tensors
import Testing

@Suite("Robust rules")
struct RobustTests {
  static let rules: [any RobustRule] = [
    CoordinateMedian(), TrimmedMean(share: 0.2), Krum(attackers: 2), MultiKrum(attackers: 2),
    MultiKrum(attackers: 1, selected: 3), Bulyan(attackers: 2), GeometricMedian(),
  ]

  @Test("Workers do not change a bit, nor does memory of other rounds", arguments: rules.indices, [1, 63, 65, 9001])
  func workers(_ rule: Int, _ count: Int) {
    let rule = Self.rules[rule]
    let cohort = Cohort(clients: 13, count: count)
    let expected = cohort.combined(by: rule)
    #expect(expected.allSatisfy { $0.isFinite })
    let scratch = RobustScratch()
    _ = Cohort(clients: 17, count: count + 5, seed: 4).combined(by: rule, workers: .backwards(2), scratch: scratch)
    for workers in 1...5 {
      #expect(cohort.combined(by: rule, workers: .backwards(workers), scratch: scratch) == expected)
      #expect(cohort.combined(by: rule, workers: .threads(workers), scratch: scratch) == expected)
    }
  }

  @Test("The median of each coordinate", arguments: 1...18)
  func median(_ clients: Int) {
    let cohort = Cohort(clients: clients, count: 130)
    let result = cohort.combined(by: CoordinateMedian())
    for i in 0..<130 {
      let sorted = cohort.updates.map { Double($0[i]) }.sorted()
      #expect(result[i] == Float((sorted[(clients - 1) / 2] + sorted[clients / 2]) / 2))
    }
  }

  @Test(
    "The trimmed mean drops ⌊βm⌋ at each end",
    arguments: [(5, 0.2, 1), (10, 0.29, 2), (100, 0.29, 29), (9, 0, 0), (4, 0.2, 0)] as [(Int, Double, Int)])
  func trimmed(_ clients: Int, _ share: Double, _ dropped: Int) {
    let cohort = Cohort(clients: clients, count: 70)
    let result = cohort.combined(by: TrimmedMean(share: share))
    for i in 0..<70 {
      let kept = cohort.updates.map { Double($0[i]) }.sorted()[dropped..<clients - dropped]
      #expect(abs(Double(result[i]) - kept.reduce(0, +) / Double(kept.count)) < 2e-7)
    }
  }

  @Test(
    "Trimming nothing, and Multi-Krum of all, is the weighted mean of equal clients: to the bit",
    arguments: [1, 60, 601])
  func reductions(_ weight: Int) {
    var cohort = Cohort(clients: 11, count: 500)
    cohort.weights = Array(repeating: weight, count: 11)
    let mean = cohort.mean(weights: cohort.weights)
    #expect(cohort.combined(by: TrimmedMean(share: 0)) == mean)
    #expect(cohort.combined(by: MultiKrum(attackers: 0, selected: 11)) == mean)
    #expect(cohort.combined(by: MultiKrum(attackers: 0)) == mean)
    #expect(cohort.combined(by: Bulyan(attackers: 0)) == mean)
  }

  /// The choice by sorting all distances anew: what the presorted neighbours must agree with.
  private func krum(_ updates: [[Float]], among field: [Int], neighbours: Int) -> [Int] {
    let scores = field.map { i in
      field.filter { $0 != i }.map { j in
        zip(updates[i], updates[j]).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
      }.sorted().prefix(neighbours).reduce(0, +)
    }
    return field.indices.sorted { (scores[$0], $0) < (scores[$1], $1) }.map { field[$0] }
  }

  @Test(
    "Krum takes the update with the nearest neighbours, Multi-Krum the mean of the best",
    arguments: [(5, 1), (9, 3), (20, 4)])
  func krum(_ clients: Int, _ attackers: Int) {
    let cohort = Cohort(clients: clients, count: 300)
    let order = krum(cohort.updates, among: Array(0..<clients), neighbours: clients - attackers - 2)
    #expect(cohort.combined(by: Krum(attackers: attackers)) == cohort.updates[order[0]])
    let best = Cohort(order.prefix(clients - attackers).map { cohort.updates[$0] })
    #expect(
      cohort.combined(by: MultiKrum(attackers: attackers))
        == best.mean(weights: Array(repeating: 1, count: best.updates.count)))
  }

  @Test("Bulyan is repeated Krum, then what is nearest the median", arguments: [(7, 1), (11, 2), (19, 3)])
  func bulyan(_ clients: Int, _ attackers: Int) {
    let cohort = Cohort(clients: clients, count: 200)
    var field = Array(0..<clients)
    var chosen: [Int] = []
    for _ in 0..<clients - 2 * attackers {
      let best = krum(cohort.updates, among: field, neighbours: max(1, field.count - attackers - 2))[0]
      chosen.append(best)
      field.removeAll { $0 == best }
    }
    let result = cohort.combined(by: Bulyan(attackers: attackers))
    let kept = clients - 4 * attackers
    for i in 0..<200 {
      let values = chosen.map { Double(cohort.updates[$0][i]) }.sorted()
      let median = (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
      let nearest = values.sorted { (abs($0 - median), $0) < (abs($1 - median), $1) }.prefix(kept)
      #expect(abs(Double(result[i]) - nearest.reduce(0, +) / Double(kept)) < 2e-7)
    }
  }

  @Test("Weiszfeld's steps: numbers of NumPy")
  func geometricMedian() {
    // numpy 2.4.6, float64, the equations of the doc comment literally.
    let cohort = Cohort([[0, 0], [4, 0], [0, 3], [10, 10]], weights: [1, 2, 3, 4])
    let four = cohort.combined(by: GeometricMedian())
    let many = cohort.combined(by: GeometricMedian(steps: 1000))
    #expect(abs(four[0] - 3.199669571) < 1e-6 && abs(four[1] - 3.380797258) < 1e-6)
    #expect(abs(many[0] - 2.743113868) < 1e-5 && abs(many[1] - 3.130855956) < 1e-5)
  }

  @Test("One far update moves no rule far", arguments: rules.indices)
  func outlier(_ rule: Int) {
    var updates = Cohort(clients: 13, count: 64).updates
    updates[6] = [Float](repeating: 200, count: 64)
    let result = Cohort(updates).combined(by: Self.rules[rule])
    #expect(result.allSatisfy { abs($0) < 8 })
  }

  @Test(
    "Too few updates are named",
    arguments: [
      (Krum(attackers: 2) as any RobustRule, 7), (MultiKrum(attackers: 3), 9), (Bulyan(attackers: 2), 11),
      (MultiKrum(attackers: 0, selected: 12), 12), (CoordinateMedian(), 1),
    ])
  func tooFew(_ rule: any RobustRule, _ needed: Int) throws {
    try rule.check(clients: needed)
    let error = #expect(throws: ConfigurationError.self) { try rule.check(clients: needed - 1) }
    #expect(error?.message.contains("needs at least \(needed) updates") == true)
  }

  @Test("Clipping keeps directions and never exceeds the norm", arguments: [0.1, 1, 1e9, Double.infinity])
  func clipping(_ limit: Double) {
    for seed in 1...20 as ClosedRange<UInt64> {
      let update = Cohort(clients: 1, count: 5000, seed: seed).updates[0]
      var clipped = update
      let norm = clipped.withUnsafeMutableBufferPointer { NormClipping.clip($0, to: limit) }
      #expect(abs(norm - update.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()) < 1e-9 * norm)
      let after = clipped.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(after <= limit)
      if norm <= limit { #expect(clipped == update) } else { #expect(after > limit * (1 - 1e-6)) }
    }
  }

  @Test("Attacks are what they say")
  func attacks() {
    // mpmath's inverse error function.
    #expect(abs(Attack.littleIsEnough(clients: 50, attackers: 24) - 1.426076872273) < 1e-10)  // Φ⁻¹((26 − 2) / 26)
    #expect(abs(Attack.littleIsEnough(clients: 20, attackers: 4) - 0.157310684610) < 1e-10)  // Φ⁻¹((16 − 7) / 16)
    let honest = Cohort([[1, 10], [3, 10], [5, 10]])
    var sent: [Float] = [0, 0]
    honest.withSet { set in
      sent.withUnsafeMutableBufferPointer { Attack.littleIsEnough(set, z: 1.5, into: $0.baseAddress!) }
    }
    #expect(abs(sent[0] - (3 - 1.5 * 1.6329932)) < 1e-6 && sent[1] == 10)
    #expect(Attack.flipped(label: 2, classes: 10) == 7)
    var update: [Float] = [1, -2, 0]
    update.withUnsafeMutableBufferPointer { Attack.flipSign(of: $0, scale: 3) }
    #expect(update == [-3, 6, 0])
    var (a, b) = ([Float](repeating: 0, count: 100), [Float](repeating: 0, count: 100))
    a.withUnsafeMutableBufferPointer { Attack.addGaussian(to: $0, deviation: 2, seed: 1, round: 3, client: 5) }
    b.withUnsafeMutableBufferPointer { Attack.addGaussian(to: $0, deviation: 2, seed: 1, round: 3, client: 6) }
    #expect(a != b && a.allSatisfy { abs($0) < 12 })
  }
}
