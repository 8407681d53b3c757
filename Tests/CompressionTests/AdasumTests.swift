import Compression
import Testing

@Suite("Adasum")
struct AdasumTests {
  static func combined(_ a: [Float], _ b: [Float], _ layers: [Range<Int>]) -> [Float] {
    var a = a
    a.withUnsafeMutableBufferPointer { a in
      b.withUnsafeBufferPointer { b in Adasum.combine(b.baseAddress!, into: a.baseAddress!, layers: layers) }
    }
    return a
  }

  @Test("Each layer is combined by its own dots", arguments: [1, 3, 17, 4095, 4097, 100_001])
  func equation(_ count: Int) {
    let (a, b) = (Sample.normal(count + 5), Sample.normal(count + 5, seed: 2).map { $0 + 0.05 })
    let layers = [0..<(count / 3), (count / 3)..<count]
    var expected = a.map { Double($0) }
    for layer in layers {
      let x = a[layer].map { Double($0) }
      let y = b[layer].map { Double($0) }
      let product = zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
      let (xx, yy) = (x.reduce(0) { $0 + $1 * $1 }, y.reduce(0) { $0 + $1 * $1 })
      for i in layer {
        expected[i] = (1 - product / (2 * xx)) * Double(a[i]) + (1 - product / (2 * yy)) * Double(b[i])
      }
    }
    let result = Self.combined(a, b, layers)
    #expect((0..<count).allSatisfy { abs(Double(result[$0]) - expected[$0]) < 1e-6 })
    #expect(Array(result[count...]) == Array(a[count...]))
  }

  @Test("Equal gradients average, orthogonal ones add, zero gives way, order does not matter: to the bit")
  func identities() {
    let (a, b) = (Sample.normal(4097), Sample.normal(4097, seed: 2))
    let zero = [Float](repeating: 0, count: 4097)
    #expect(Self.combined(a, a, [0..<4097]) == a)
    #expect(Self.combined(a, zero, [0..<4097]) == a)
    #expect(Self.combined(zero, a, [0..<4097]) == a)
    #expect(Self.combined([1, 0, 3], [0, 2, 0], [0..<3]) == [1, 2, 3])
    #expect(Self.combined(a, b, [0..<4097]) == Self.combined(b, a, [0..<4097]))
  }

  @Test("What is not finite shows", arguments: [Float.nan, .infinity])
  func notFinite(_ value: Float) {
    #expect(Self.combined([1, value, 3], [1, 2, 3], [0..<3]).contains { !$0.isFinite })
    #expect(Self.combined([1, 2, 3], [1, value, 3], [0..<3]).contains { !$0.isFinite })
  }
}
