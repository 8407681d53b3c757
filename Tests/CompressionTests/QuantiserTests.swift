import Compression
import Tensors
import Testing

@Suite("Stochastic rounding")
struct QuantiserTests {
  static let key = CompressionKey(seed: 11, step: 5, worker: 3, bucket: 2)

  /// The random number of scalar i, by the layout that the documentation states.
  static func uniform(_ i: Int, _ key: CompressionKey) -> Double {
    let mixed = RandomStream.key(seed: key.seed, .compression, epoch: key.step, layer: key.bucket)
    let block = RandomStream.philox(
      key: (UInt32(truncatingIfNeeded: mixed), UInt32(mixed >> 32)),
      counter: (UInt32(i / 256 * 64 + i % 64), 0, UInt32(key.worker), 0))
    let word = [block.0, block.1, block.2, block.3][i % 256 / 64]
    return Double(word >> 8) / 16_777_216
  }

  @Test(
    "QSGD's codes are ⌊l⌋ or the next by the scalar's random number", arguments: [1, 2, 3, 5, 7, 15, 31, 63, 127],
    [QSGD.Norm.euclidean, .maximum])
  func codes(_ levels: Int, _ norm: QSGD.Norm) {
    for count in [1, 3, 17, 257, 4097] {
      let source = Sample.normal(count)
      let compressor = QSGD(levels: levels, bucket: 256, norm: norm)
      var width = 1
      while 1 << width < 2 * levels + 1 { width += 1 }
      let message = Message(compressor, source, Self.key)
      let header = (count + 255) / 256 * 4
      #expect(message.bytes.count == header + (count * width + 7) / 8)
      var expected: [Float] = []
      for i in 0..<count {
        let bucket = source[(i / 256 * 256)..<min(count, i / 256 * 256 + 256)]
        let length =
          norm == .maximum
          ? bucket.map(abs).max()! : Float(bucket.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
        #expect(abs(message.float(i / 256 * 4) - length) <= 1e-6 * length)
        let kept = message.float(i / 256 * 4)
        let position = min(Float(levels), abs(source[i]) / kept * Float(levels))
        let level = Int(position) + (Self.uniform(i, Self.key) < Double(position) - Double(Int(position)) ? 1 : 0)
        let code = message.code(byte: header, bit: i * width, width: width) - levels
        #expect(code == (source[i] < 0 ? -level : level))
        expected.append(kept / Float(levels) * Float(code))
      }
      #expect(message.decoded(compressor, count) == expected)
    }
  }

  @Test("QSGD's mean over keys is the vector", arguments: [1, 4, 127])
  func unbiased(_ levels: Int) {
    let source = Sample.normal(300)
    let compressor = QSGD(levels: levels, bucket: 256)
    let draws = 4000
    var sums = [Double](repeating: 0, count: 300)
    for step in 0..<draws {
      let decoded = Message(compressor, source, CompressionKey(seed: 2, step: step)).decoded(compressor, 300)
      for i in 0..<300 { sums[i] += Double(decoded[i]) }
    }
    for i in 0..<300 {
      let bucket = source[(i / 256 * 256)..<min(300, i / 256 * 256 + 256)]
      let unit = bucket.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() / Double(levels)
      let share = (abs(Double(source[i])) / unit).truncatingRemainder(dividingBy: 1)
      let deviation = unit * (share * (1 - share) / Double(draws)).squareRoot()
      #expect(abs(sums[i] / Double(draws) - Double(source[i])) <= 5 * deviation + 1e-6 * unit)
    }
  }

  @Test("Numbers near the ends of Float32 are rounded as others")
  func extremes() {
    let compressor = QSGD(levels: 3)
    for scale in [Float.leastNonzeroMagnitude, Float.leastNormalMagnitude, 1e37] {
      let source = [scale, 0, -scale, 0].map { $0 * 3 }
      let decoded = Message(compressor, source, Self.key).decoded(compressor, 4)
      #expect(decoded[1] == 0 && decoded[3] == 0 && decoded.allSatisfy(\.isFinite))
      #expect(decoded[0] > 0 && decoded[2] < 0)
    }
  }

  @Test("TernGrad's codes are the sign with probability |g| / s", arguments: [1, 3, 17, 257, 4097, 100_001])
  func ternary(_ count: Int) {
    let source = Sample.normal(count)
    let message = Message(TernGrad(), source, Self.key)
    let deviation = (source.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)).squareRoot()
    let scaler = min(Double(source.map(abs).max()!), 2.5 * deviation)
    #expect(abs(Double(message.float(0)) - scaler) <= 1e-6 * scaler)
    let s = message.float(0)
    let expected = source.indices.map { i -> Float in
      let chance = Double(min(abs(source[i]), s) / s)
      return Self.uniform(i, Self.key) < chance ? (source[i] < 0 ? -s : s) : 0
    }
    #expect(message.decoded(TernGrad(), count) == expected)
    #expect((0..<count).allSatisfy { message.code(byte: 4, bit: 2 * $0, width: 2) < 3 })
  }

  @Test("TernGrad's mean over keys is the clipped vector, with a shared scaler as well", arguments: [1, 3] as [Float])
  func ternaryUnbiased(_ factor: Float) {
    let source = Sample.normal(99) + [3]
    let compressor = TernGrad()
    let draws = 4000
    let limit = source.withUnsafeBufferPointer { compressor.scaler(of: $0.baseAddress!, count: 100) }
    #expect(limit < 3)
    var sums = [Double](repeating: 0, count: 100)
    var message = Message(compressor, source)
    for step in 0..<draws {
      message.bytes.withUnsafeMutableBytes { bytes in
        source.withUnsafeBufferPointer {
          compressor.encode(
            $0.baseAddress!, count: 100, limit: limit, scaler: factor * limit, key: CompressionKey(seed: 4, step: step),
            into: bytes.baseAddress!)
        }
      }
      #expect(message.float(0) == factor * limit)
      let decoded = message.decoded(compressor, 100)
      for i in 0..<100 { sums[i] += Double(decoded[i]) }
    }
    for i in 0..<100 {
      let expected = Double(max(-limit, min(limit, source[i])))
      let chance = abs(expected) / Double(factor * limit)
      let deviation = Double(factor * limit) * (chance * (1 - chance) / Double(draws)).squareRoot()
      #expect(abs(sums[i] / Double(draws) - expected) <= 5 * deviation + 1e-6)
    }
  }
}
