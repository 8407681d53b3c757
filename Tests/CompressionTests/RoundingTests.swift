import Compression
import Testing

@Suite("Rounding to sixteen bits")
struct RoundingTests {
  /// The nearest multiple of a unit in the last place, by arithmetic in Float64.
  static func nearest(_ x: Float, precision: Int, smallestExponent: Int, largest: Double) -> Float {
    guard x.isFinite, x != 0 else { return x }
    let exponent = max(smallestExponent, Int(x.exponent))
    let unit = Double(sign: .plus, exponent: exponent - precision + 1, significand: 1)
    let rounded = (Double(x) / unit).rounded(.toNearestOrEven) * unit
    return abs(rounded) > largest ? (x < 0 ? -.infinity : .infinity) : Float(rounded)
  }

  @Test("Every exponent rounds to the nearest, ties to even", arguments: Sample.counts)
  func rounding(_ count: Int) {
    let ties: [Float] = [
      1 + 0x1p-11, 1 + 0x3p-11, 1 + 0x1p-8, 1 + 0x3p-8, 65519, 65520, 0x1p-25, 0x3p-25, 0x1.01p0, 3.4e38,
    ]
    let source = Sample.everyExponent(count) + Sample.normal(count) + ties
    let half = Message(Float16Rounding(), source).decoded(Float16Rounding(), source.count)
    #expect(half == source.map { Self.nearest($0, precision: 11, smallestExponent: -14, largest: 65504) })
    let brain = Message(BFloat16Rounding(), source).decoded(BFloat16Rounding(), source.count)
    let largest = Double(Float(bitPattern: 0x7F7F_0000))
    #expect(brain == source.map { Self.nearest($0, precision: 8, smallestExponent: -126, largest: largest) })
  }

  @Test("NaN stays NaN and infinities keep their sign, alone")
  func notFinite() {
    let source: [Float] = [1, .nan, .infinity, -.infinity, Float(bitPattern: 0x7F80_0001), 2] + Sample.whole(20)
    for compressor in [Float16Rounding(), BFloat16Rounding()] as [any Compressor] {
      let decoded = Message(compressor, source).decoded(compressor, source.count)
      #expect(zip(source, decoded).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
    }
  }
}
