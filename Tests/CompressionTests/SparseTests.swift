import Compression
import Tensors
import Testing

@Suite("The largest scalars")
struct SparseTests {
  /// By sorting: NaN, infinities, numbers; of equal magnitudes the lower index.
  static func largest(_ source: [Float], _ pairs: Int) -> [Int] {
    func key(_ x: Float) -> Double { x.isNaN ? .infinity : x.isInfinite ? 1e300 : Double(abs(x)) }
    return source.indices.sorted { (key(source[$1]), $0) < (key(source[$0]), $1) }.prefix(pairs).sorted()
  }

  static func vectors(_ count: Int) -> [[Float]] {
    var special = Sample.whole(count, limit: 2)
    let specials: [Float] = [.infinity, -.nan, .nan, -.infinity]
    for place in stride(from: 5, to: count, by: 97) { special[place] = specials[place % 4] }
    // NaN of one payload, so that they tie.
    special = special.map { $0.isNaN ? ($0.sign == .minus ? -.nan : .nan) : $0 }
    return [
      Sample.normal(count), Sample.whole(count, limit: 3), Sample.everyExponent(count), special,
      [Float](repeating: -0.25, count: count), [Float](repeating: 0, count: count),
    ]
  }

  @Test("Top-k is what sorting gives, ties by index", arguments: Sample.counts, [0.0001, 0.01, 0.3, 1])
  func exact(_ count: Int, _ ratio: Double) {
    let compressor = TopK(ratio: ratio)
    for source in Self.vectors(count) {
      let pairs = Message(compressor, source).pairs
      #expect(pairs.count == min(count, max(1, Int(ratio * Double(count)))))
      #expect(pairs.map { Int($0.index) } == Self.largest(source, pairs.count))
      #expect(bits(pairs.map(\.value)) == bits(pairs.map { source[Int($0.index)] }))
    }
  }

  @Test("Adding skips what lies outside the vector")
  func padding() {
    var message = Message(TopK(ratio: 0.5), [1, 2, 3, 4])
    message.bytes.replaceSubrange(0..<4, with: [4, 0, 0, 0])
    #expect(message.decoded(TopK(ratio: 0.5), 4) == [0, 0, 0, 4])
    message.bytes.replaceSubrange(8..<12, with: [255, 255, 255, 255])
    #expect(message.decoded(TopK(ratio: 0.5), 4) == [0, 0, 0, 0])
  }

  @Test("A sampled threshold sends 0.8 k to k scalars, the first of those that reach it", arguments: [0.01, 0.1])
  func sampled(_ ratio: Double) {
    for (count, seed) in [(4097, 1), (100_001, 2), (100_001, 3), (250_000, 4)] as [(Int, UInt64)] {
      let source = Sample.normal(count, seed: seed)
      let compressor = SampledTopK(ratio: ratio, capacity: 250_000)
      let message = Message(compressor, source, CompressionKey(seed: seed, step: 1))
      let k = max(1, Int(ratio * Double(count)))
      #expect(message.pairs.count == k)
      let sent = message.pairs.filter { Int($0.index) < count }
      #expect(message.pairs.dropFirst(sent.count).allSatisfy { $0.index == .max && $0.value == 0 })
      #expect(Double(sent.count) >= 0.8 * Double(k) - 1)
      #expect(sent.allSatisfy { $0.value == source[Int($0.index)] })
      let threshold = sent.map { abs($0.value) }.min() ?? 0
      let reaching = source.indices.filter { abs(source[$0]) >= threshold }
      #expect(sent.map { Int($0.index) } == Array(reaching.prefix(sent.count)))
      #expect(Double(reaching.count) <= 1.3 * Double(k) + 1)
    }
  }

  @Test("Where no threshold fits, a sample leads to exact top-k")
  func unsampled() {
    for source in Self.vectors(100_001).dropFirst() + [Sample.normal(100)] {
      let isSpread = source.contains { $0 != 0 && abs($0) < 1e-30 }
      if isSpread { continue }
      let sampled = Message(SampledTopK(ratio: 0.001, capacity: source.count), source)
      #expect(sampled.bytes == Message(TopK(ratio: 0.001), source).bytes)
    }
  }

  @Test("Momentum correction and factor masking follow their equations", arguments: [1, 17, 4097])
  func momentum(_ count: Int) {
    let correction = MomentumCorrection(count: count + 3, momentum: 0.5)
    let compressor = TopK(ratio: 0.1)
    var (u, v) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
    var (sent, summed) = (u, u)
    for step in 0..<10 {
      let gradient = Sample.whole(count, limit: 3, seed: UInt64(step))
      for i in 0..<count {
        u[i] = 0.5 * u[i] + Double(gradient[i])
        v[i] += u[i]
        summed[i] += u[i]
      }
      let accumulated = gradient.withUnsafeBufferPointer {
        Array(
          UnsafeBufferPointer(start: correction.accumulate($0.baseAddress!, 3..<(3 + count)), count: count))
      }
      let message = Message(compressor, accumulated)
      message.bytes.withUnsafeBytes {
        correction.clear(3..<(3 + count), sent: $0.baseAddress!, pairs: compressor.pairs(of: count))
      }
      for index in Self.largest(v.map { Float($0) }, compressor.pairs(of: count)) {
        sent[index] += v[index]
        (u[index], v[index]) = (0, 0)
      }
      #expect((0..<count).allSatisfy { Double(correction.velocity.base[3 + $0]) == u[$0] })
      #expect((0..<count).allSatisfy { Double(correction.accumulation.base[3 + $0]) == v[$0] })
      #expect(zip(sent, v).map { $0 + $1 } == summed)
    }
  }
}
