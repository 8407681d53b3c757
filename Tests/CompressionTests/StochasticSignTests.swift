import Compression
import Tensors
import Testing

@Suite("Drawn signs")
struct StochasticSignTests {
  /// The signs of scalars, as ±1.
  private func draw(_ scalars: [Float], step: Int = 0, worker: Int = 0) -> [Float] {
    var bits = [UInt8](repeating: 0xFF, count: SignBits.byteCount(scalars.count))
    var signs = [Float](repeating: 0, count: scalars.count)
    bits.withUnsafeMutableBytes { bits in
      StochasticSign.draw(
        scalars, count: scalars.count, key: CompressionKey(seed: 3, step: step, worker: worker), into: bits.baseAddress!
      )
      signs.withUnsafeMutableBufferPointer {
        SignBits.add(bits.baseAddress!, count: scalars.count, positive: 1, negative: -1, to: $0.baseAddress!)
      }
    }
    return signs
  }

  @Test("their mean is what they were drawn from", arguments: [-1, -0.7, -0.1, 0, 0.3, 0.95, 1] as [Float])
  func mean(_ value: Float) {
    let count = 100_003
    let mean = draw([Float](repeating: value, count: count)).reduce(0.0) { $0 + Double($1) } / Double(count)
    // Four standard deviations.
    let deviation = ((1 - Double(value * value)) / Double(count)).squareRoot()
    #expect(abs(mean - Double(value)) <= 4 * deviation, "\(mean)")
  }

  @Test("what is beyond ±1 is certain, and what is no number is −1")
  func certain() {
    let signs = draw([1, 1.5, .infinity, -1, -7, -.infinity, .nan] + [Float](repeating: -2, count: 600) + [3])
    #expect(signs == [1, 1, 1, -1, -1, -1, -1] + [Float](repeating: -1, count: 600) + [1])
  }

  @Test("a sign is a function of key and place alone")
  func keys() {
    let scalars = (0..<1000).map { Float($0 % 13) / 13 - 0.5 }
    #expect(draw(scalars) == draw(scalars))
    #expect(Array(draw(scalars).prefix(777)) == draw(Array(scalars.prefix(777))))
    #expect(draw(scalars) != draw(scalars, step: 1))
    #expect(draw(scalars) != draw(scalars, worker: 1))
  }
}
