import Compression
import Tensors
import Testing

@Suite("Random places")
struct RandomKTests {
  static func draw(_ size: Int, of count: Int, _ key: CompressionKey) -> [Int] {
    let subset = RandomSubset(capacity: count, indices: size)
    subset.draw(size, of: count, key: key)
    return (0..<subset.count).map { Int(subset.indices[$0]) }
  }

  @Test("A subset has its size, ascends, and is the same for all workers", arguments: Sample.counts)
  func subsets(_ count: Int) {
    for size in Set([0, min(1, count), count / 100, count / 2, count - count / 10, count]) {
      let drawn = Self.draw(size, of: count, CompressionKey(seed: 1, step: 2, worker: 3))
      #expect(drawn.count == size)
      #expect(zip(drawn, drawn.dropFirst()).allSatisfy { $0 < $1 })
      #expect(drawn.allSatisfy { 0..<count ~= $0 })
      #expect(Self.draw(size, of: count, CompressionKey(seed: 1, step: 2, worker: 4)) == drawn)
      if size > 10 && size < count - 10 {
        #expect(Self.draw(size, of: count, CompressionKey(seed: 1, step: 3)) != drawn)
      }
    }
  }

  @Test("Every pair of places is equally likely", arguments: [3, 11])
  func uniform(_ size: Int) {
    let (count, draws) = (13, 8000)
    var together = [Int](repeating: 0, count: count * count)
    for step in 0..<draws {
      let drawn = Self.draw(size, of: count, CompressionKey(seed: 7, step: step))
      for i in drawn { for j in drawn { together[i * count + j] += 1 } }
    }
    for i in 0..<count {
      for j in 0..<count {
        let share = i == j ? Double(size) / 13 : Double(size * (size - 1)) / (13 * 12)
        let deviation = (Double(draws) * share * (1 - share)).squareRoot()
        #expect(abs(Double(together[i * count + j]) - Double(draws) * share) < 5 * deviation)
      }
    }
  }

  @Test("Messages of workers add as vectors, and their sum decodes to the sum")
  func summable() {
    let count = 4097
    let compressor = RandomK(ratio: 0.1, capacity: count)
    let (a, b) = (Sample.whole(count), Sample.whole(count, seed: 2))
    let messages = [a, b].enumerated().map { worker, source in
      Message(compressor, source, CompressionKey(seed: 1, step: 5, worker: worker))
    }
    var sum = messages[0]
    for i in 0..<(sum.bytes.count / 4) {
      let added = messages[0].float(4 * i) + messages[1].float(4 * i)
      withUnsafeBytes(of: added.bitPattern.littleEndian) { sum.bytes.replaceSubrange((4 * i)..<(4 * i + 4), with: $0) }
    }
    let late = RandomK(ratio: 0.1, capacity: count)
    late.draw(count: count, key: CompressionKey(seed: 1, step: 5, worker: 9))
    let places = Self.draw(409, of: count, CompressionKey(seed: 1, step: 5))
    var expected = [Float](repeating: 0, count: count)
    for place in places { expected[place] = a[place] + b[place] }
    #expect(sum.decoded(late, count) == expected)
  }

  @Test("The unbiased form has the vector as its mean")
  func unbiased() {
    let source = Sample.normal(17)
    let compressor = RandomK(ratio: 0.3, capacity: 17, isUnbiased: true)
    let draws = 8000
    var sums = [Double](repeating: 0, count: 17)
    for step in 0..<draws {
      let decoded = Message(compressor, source, CompressionKey(seed: 2, step: step)).decoded(compressor, 17)
      for i in 0..<17 { sums[i] += Double(decoded[i]) }
    }
    let share = 5.0 / 17
    for i in 0..<17 {
      let deviation = abs(Double(source[i])) * ((1 - share) / share / Double(draws)).squareRoot()
      #expect(abs(sums[i] / Double(draws) - Double(source[i])) <= 5 * deviation + 1e-7)
    }
  }
}
