import Federated
import Tensors
import Testing

@Suite("Sums of updates are integers: exact, and free of order")
struct FixedPointSumTests {
  @Test(
    "s = min(48, 54 − ⌈log₂ Σw⌉)",
    arguments: [(1, 48), (64, 48), (65, 47), (128, 47), (129, 46), (60_000, 38), (1 << 20, 34), (1 << 54, 0)])
  func places(_ weight: Int, _ places: Int) { #expect(FixedPointScale(totalWeight: weight).places == places) }

  @Test("Each scalar is rounded to nearest even", arguments: [0, 1, 7, 16, 4097], [1, 3, 600, 1_000_003])
  func rounding(_ count: Int, _ weight: Int) {
    var random = RandomStream(seed: 3, .test)
    let edges: [Float] = [0, -0.0, 256, -256, 0x1p-49, -0x1p-49, 0x3p-49, 0x1p-50, 1, 255.99998, 0x1p-140, 0x1p-41]
    let update = (0..<count).map { $0 < edges.count ? edges[$0] : random.normal() * (($0 % 3 == 0) ? 40 : 1e-6) }
      .map { min(256, max(-256, $0)) }
    let scale = FixedPointScale(totalWeight: weight)
    let sum = FixedPointSum(count: count)
    #expect(update.withUnsafeBufferPointer { sum.add($0, weight: weight, scale) })
    let unit = Double(sign: .plus, exponent: scale.places, significand: 1)
    for i in 0..<count {
      #expect(sum.sums[i] == Int64((Double(update[i]) * Double(weight) * unit).rounded(.toNearestOrEven)))
    }
  }

  @Test("Ties go to even, in both signs")
  func ties() {
    let scale = FixedPointScale(totalWeight: 1)
    let update: [Float] = [0x1p-49, 0x3p-49, 0x5p-49, -0x1p-49, -0x3p-49, -0x5p-49]
    let sum = FixedPointSum(count: 6)
    _ = update.withUnsafeBufferPointer { sum.add($0, weight: 1, scale) }
    #expect((0..<6).map { sum.sums[$0] } == [0, 2, 2, 0, -2, -2])
  }

  @Test("Any order, any grouping, to the bit; and what was added comes out")
  func order() {
    let cohort = Cohort(clients: 9, count: 1001)
    let weights = (0..<9).map { 1 + 37 * $0 }
    let scale = FixedPointScale(totalWeight: weights.reduce(0, +))
    func sum(_ clients: [Int]) -> FixedPointSum {
      let sum = FixedPointSum(count: 1001)
      for client in clients {
        _ = cohort.updates[client].withUnsafeBufferPointer { sum.add($0, weight: weights[client], scale) }
      }
      return sum
    }
    let whole = sum(Array(0..<9))
    let other = sum([8, 2, 4, 0, 6, 1, 3, 5, 7])
    #expect(withExtendedLifetime(other) { Array(whole.words) == Array(other.words) })
    let parts = sum([5, 1])
    parts.merge(sum([8, 0, 2]))
    parts.merge(sum([3, 4, 7, 6]))
    #expect(Array(whole.words) == Array(parts.words))
    #expect(parts.weight == weights.reduce(0, +) && parts.updates == 9)
    for client in 0..<9 {
      #expect(cohort.updates[client].withUnsafeBufferPointer { parts.subtract($0, weight: weights[client], scale) })
    }
    #expect(parts.words.allSatisfy { $0 == 0 })
    var mean = [Float](repeating: .nan, count: 1001)
    mean.withUnsafeMutableBufferPointer { whole.mean(scale, into: $0) }
    for i in 0..<1001 {
      let expected =
        (0..<9).reduce(0.0) { $0 + Double(weights[$1]) * Double(cohort.updates[$1][i]) } / Double(scale.totalWeight)
      #expect(abs(Double(mean[i]) - expected) < 1e-7 * max(1, abs(expected)))
    }
  }

  @Test("The mean of equal updates is the update, to the bit", arguments: [1, 7, 50, 1000])
  func equal(_ clients: Int) {
    let one = Cohort(clients: 1, count: 999).updates[0]
    #expect(Cohort(Array(repeating: one, count: clients)).mean(weights: Array(repeating: 60, count: clients)) == one)
  }

  @Test(
    "An update that is not finite or too large adds nothing",
    arguments: [Float.nan, .infinity, -.infinity, 256.00003, -1e30])
  func rejection(_ value: Float) {
    let scale = FixedPointScale(totalWeight: 100)
    let sum = FixedPointSum(count: 33)
    let good = [Float](repeating: 256, count: 33)
    #expect(good.withUnsafeBufferPointer { sum.add($0, weight: 50, scale) })
    let before = Array(sum.words)
    for place in [0, 15, 16, 32] {
      var bad = good
      bad[place] = value
      #expect(!bad.withUnsafeBufferPointer { sum.add($0, weight: 50, scale) })
      #expect(!bad.withUnsafeBufferPointer { sum.subtract($0, weight: 50, scale) })
    }
    #expect(Array(sum.words) == before)
  }

  @Test("The largest cohort of the largest updates does not overflow")
  func edge() {
    for weight in [1, 1000, 1 << 30, 1 << 54] {
      let scale = FixedPointScale(totalWeight: weight)
      let sum = FixedPointSum(count: 8)
      #expect([Float](repeating: -256, count: 8).withUnsafeBufferPointer { sum.add($0, weight: weight, scale) })
      var mean = [Float](repeating: 0, count: 8)
      mean.withUnsafeMutableBufferPointer { sum.mean(scale, into: $0) }
      #expect(mean == [Float](repeating: -256, count: 8))
    }
  }

  @Test("A mean of nothing is zero")
  func nothing() {
    var mean: [Float] = [1, 2]
    mean.withUnsafeMutableBufferPointer { FixedPointSum(count: 2).mean(FixedPointScale(totalWeight: 5), into: $0) }
    #expect(mean == [0, 0])
  }
}
