import Foundation
import Tensors
import Testing

@Suite("Elementary functions, against Glibc's in Float64")
struct ElementaryTests {
  /// Every 997th number of each sign up to `bound`, besides special ones.
  static func numbers(to bound: Float) -> [Float] {
    var all: [Float] = [0, -0, 1, -1, bound, -bound, .leastNonzeroMagnitude, .leastNormalMagnitude]
    var bits: UInt32 = 0
    while Float(bitPattern: bits) < bound {
      all.append(Float(bitPattern: bits))
      all.append(-Float(bitPattern: bits))
      bits += 997
    }
    return all
  }

  /// The largest error in units of the last place of the exact value, where that is above `least`.
  static func worst(
    _ numbers: [Float], least: Double = 0x1p-124, _ f: (Float) -> Float, _ exact: (Double) -> Double
  ) -> Double {
    var worst = 0.0
    for x in numbers {
      let value = exact(Double(x))
      guard abs(value) > least, abs(value) < Double(Float.greatestFiniteMagnitude) else { continue }
      worst = max(worst, abs(Double(f(x)) - value) / Double(Float(abs(value)).ulp))
    }
    return worst
  }

  @Test func exponential() {
    #expect(Self.worst(Self.numbers(to: 89), { Elementary.exp($0) }, { exp($0) }) < 1)
    #expect(
      [.infinity, -.infinity, 89, 1000, -1000, 0].map(Elementary.exp) == [.infinity, 0, .infinity, .infinity, 0, 1])
    #expect(Elementary.exp(.nan).isNaN)
    #expect(Elementary.expOfMinusMagnitude(-3) == Elementary.expOfMinusMagnitude(3))
    #expect(Self.worst(Self.numbers(to: 86), { Elementary.expOfMinusMagnitude($0) }, { exp(-abs($0)) }) < 1)
  }

  @Test func exponentialMinusOne() {
    #expect(Self.worst(Self.numbers(to: 88), { Elementary.expMinusOne($0) }, { expm1($0) }) < 1.5)
    #expect([.infinity, -.infinity, 1000, -1000, 0].map(Elementary.expMinusOne) == [.infinity, -1, .infinity, -1, 0])
    #expect(Elementary.expMinusOne(.nan).isNaN)
  }

  @Test func hyperbolicTangent() {
    #expect(Self.worst(Self.numbers(to: 40), { Elementary.tanh($0) }, { tanh($0) }) < 2.5)
    #expect([.infinity, -.infinity, 30, -30, 0].map(Elementary.tanh) == [1, -1, 1, -1, 0])
    #expect(Elementary.tanh(-0.0).sign == .minus)
    #expect(Elementary.tanh(.nan).isNaN)
  }

  @Test func logisticFunction() {
    #expect(Self.worst(Self.numbers(to: 86), { Elementary.sigmoid($0) }, { 1 / (1 + exp(-$0)) }) < 2.5)
    #expect([.infinity, -.infinity, 100, -100, 0].map(Elementary.sigmoid) == [1, 0, 1, 0, 0.5])
    #expect(Elementary.sigmoid(.nan).isNaN)
  }

  @Test func normalDistribution() {
    let numbers = Self.numbers(to: 12.9)
    #expect(Self.worst(numbers, { Elementary.normal($0).share }, { 0.5 * erfc(-$0 / 2.0.squareRoot()) }) < 7)
    let density = { (x: Double) in exp(-0.5 * x * x) / (2 * Double.pi).squareRoot() }
    #expect(Self.worst(numbers, { Elementary.normal($0).density }, density) < 3)
    #expect([.infinity, -.infinity, 30, -30].map { Elementary.normal($0).share } == [1, 0, 1, 0])
    #expect([.infinity, -.infinity].map { Elementary.normal($0).density } == [0, 0])
    #expect(Elementary.normal(.nan).share.isNaN && Elementary.normal(.nan).density.isNaN)
  }

  @Test func softplusTail() {
    let numbers = Self.numbers(to: 86)
    #expect(Self.worst(numbers, { Elementary.logOnePlusExp(minusMagnitudeOf: $0) }, { log1p(exp(-abs($0))) }) < 2.5)
    #expect(Elementary.logOnePlusExp(minusMagnitudeOf: .infinity) == 0)
    #expect(Elementary.logOnePlusExp(minusMagnitudeOf: .nan).isNaN)
  }
}
