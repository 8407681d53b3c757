import Configuration
import Federated
import Foundation
import Testing

@Suite("Noise and the norm it is measured by")
struct ClippingNormTests {
  @Test("Noise is a function of seed, round and coordinate: any cut gives the same")
  func cuts() {
    func noise(_ cuts: [Int], seed: UInt64 = 1, round: Int = 2) -> [Float] {
      var vector = [Float](repeating: 1, count: 1001)
      vector.withUnsafeMutableBufferPointer { vector in
        for (first, end) in zip(cuts, cuts.dropFirst()) {
          GaussianNoise.add(to: vector.baseAddress!, range: first..<end, deviation: 0.5, seed: seed, round: round)
        }
      }
      return vector
    }
    let whole = noise([0, 1001])
    #expect(noise([0, 1, 2, 3, 500, 777, 1001]) == whole)
    #expect(noise([0, 1001], seed: 2) != whole && noise([0, 1001], round: 3) != whole)
  }

  @Test("Noise is normal: moments and tails of a million numbers")
  func moments() {
    var vector = [Float](repeating: 0, count: 1_000_000)
    vector.withUnsafeMutableBufferPointer {
      GaussianNoise.add(to: $0.baseAddress!, range: 0..<$0.count, deviation: 2, seed: 7, round: 0)
    }
    let count = Double(vector.count)
    let mean = vector.reduce(0.0) { $0 + Double($1) } / count
    let variance = vector.reduce(0.0) { $0 + Double($1) * Double($1) } / count
    let neighbours = zip(vector, vector.dropFirst()).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } / count
    // Four deviations of each estimate.
    #expect(abs(mean) < 4 * 2 / 1000 && abs(variance - 4) < 4 * 4 * 2.0.squareRoot() / 1000)
    #expect(abs(neighbours) < 4 * 4 / 1000)
    for (limit, share) in [(1.0, 0.3173105), (2, 0.0455003), (3, 0.0026998)] {
      let beyond = Double(vector.count { abs($0) > Float(2 * limit) }) / count
      #expect(abs(beyond - share) < 4 * (share / count).squareRoot())
    }
  }

  @Test("Fixed: deviation zC/m; no noise, any norm")
  func fixed() {
    #expect(ClippingNorm(fixed: 0.5, noiseMultiplier: 2, cohort: 50).meanDeviation == 0.02)
    #expect(ClippingNorm(fixed: .infinity, noiseMultiplier: 0, cohort: 50).meanDeviation == 0)
    var norm = ClippingNorm(fixed: 0.5, noiseMultiplier: 2, cohort: 50)
    norm.advance(kept: 3, seed: 1, round: 1)
    #expect(norm.limit == 0.5)
  }

  @Test("Adaptive: C falls while more clients than the quantile are not clipped, and rises while fewer are")
  func direction() throws {
    var norm = try ClippingNorm(adaptiveFrom: 1, noiseMultiplier: 0, cohort: 100)
    norm.advance(kept: 100, seed: 1, round: 1)
    #expect(abs(norm.limit - exp(-0.1)) < 1e-12)
    norm.advance(kept: 0, seed: 1, round: 2)
    #expect(abs(norm.limit - 1) < 1e-12)
  }

  @Test("Adaptive: C settles at the quantile of the norms", arguments: [0.2, 0.5, 0.8], [0.0, 1.0])
  func quantile(_ quantile: Double, _ noise: Double) throws {
    var norm = try ClippingNorm(quantile: quantile, noiseMultiplier: noise, cohort: 100)
    for round in 0..<300 {
      norm.advance(kept: (0..<100).count { norm.keeps(norm: 1 + Double($0) / 100) }, seed: 3, round: round)
    }
    #expect(abs(norm.limit - (1 + quantile)) < 0.15)
  }

  @Test("Update and count cost z together: 1/z² = 1/z_Δ² + 1/(2σ_b)²")
  func split() throws {
    let norm = try ClippingNorm(noiseMultiplier: 1, cohort: 100)
    #expect(norm.adaptation?.countDeviation == 5)
    #expect(abs(norm.updateMultiplier - 1.005037815259212) < 1e-12)  // (1 − 1/100)^(−½)
    #expect(abs(norm.meanDeviation - 0.1 * 1.005037815259212 / 100) < 1e-15)
    let error = #expect(throws: ConfigurationError.self) {
      _ = try ClippingNorm(noiseMultiplier: 1, cohort: 10)
    }
    #expect(error?.message.contains("raise the cohort") == true)
  }
}
