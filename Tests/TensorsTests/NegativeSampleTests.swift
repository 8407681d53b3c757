import Tensors
import Testing

@Suite("Positive and negative samples")
struct NegativeSampleTests {
  static func pairs(
    _ x: Array32, _ labels: [Int32], classes: Int = 4, keys: [UInt64], epoch: UInt64 = 0
  ) -> [Float] {
    var settings = StatefulTrial.Settings()
    (settings.keys, settings.targets, settings.seed, settings.epoch) = (keys, labels, 3, epoch)
    return StatefulTrial([x], settings) { recorder, p, _ in
      ([], [recorder.labelPairs(recorder.detach(p[0]), recorder.target([], .int32), classes: classes)])
    }.results[0]
  }

  @Test("have the right label and a wrong one in their first scalars, and are otherwise the sample")
  func labels() {
    let x = Array32.random([3, 6], 1)
    let made = Self.pairs(x, [2, 0, 3], keys: [5, 6, 7])
    for (sample, label) in [2, 0, 3].enumerated() {
      let (positive, negative) = (made[12 * sample..<12 * sample + 6], made[12 * sample + 6..<12 * sample + 12])
      #expect(Array(positive.prefix(4)) == (0..<4).map { $0 == label ? 1 : 0 })
      #expect(negative.prefix(4).sorted() == [0, 0, 0, 1] && Array(negative)[label] == 0)
      for row in [positive, negative] { #expect(row.suffix(2) == x.scalars[6 * sample + 4..<6 * sample + 6]) }
    }
  }

  @Test("wrong labels are uniform, and a function of the sample's key and the epoch")
  func wrongLabels() {
    let count = 3000
    let x = Array32([count, 4], [Float](repeating: 0, count: 4 * count))
    func wrong(_ epoch: UInt64, _ keys: [UInt64]) -> [Int] {
      let made = Self.pairs(x, [Int32](repeating: 1, count: count), keys: keys, epoch: epoch)
      return (0..<count).map { sample in (0..<4).first { made[8 * sample + 4 + $0] == 1 } ?? -1 }
    }
    let keys = (0..<UInt64(count)).map { $0 }
    let drawn = wrong(0, keys)
    for label in [0, 2, 3] { #expect(abs(drawn.filter { $0 == label }.count - count / 3) < 100) }
    #expect(wrong(0, keys.reversed()) == drawn.reversed())
    #expect(wrong(1, keys) != drawn)
  }

  @Test("labels lie where flatten reads first; neutral ones are 0.1, and the same label can be given to all")
  func places() {
    let x = Array32.random([2, 2, 3, 2], 2)
    let run = StatefulTrial([x]) { recorder, p, _ in
      let x = recorder.detach(p[0])
      return (
        [],
        [
          recorder.flatten(recorder.neutralLabels(x, classes: 8)), recorder.flatten(x),
          recorder.flatten(recorder.label(x, as: 7, classes: 8)),
        ]
      )
    }
    for sample in 0..<2 {
      let rest = run.results[1][12 * sample + 8..<12 * sample + 12]
      #expect(Array(run.results[0][12 * sample..<12 * sample + 12]) == [Float](repeating: 0.1, count: 8) + rest)
      #expect(Array(run.results[2][12 * sample..<12 * sample + 12]) == [0, 0, 0, 0, 0, 0, 0, 1] + rest)
    }
  }

  @Test("hybrids take each pixel from the sample or from one other, in regions that blurring makes larger")
  func hybrids() {
    let (samples, side) = (5, 12)
    // Every scalar of a sample says which it is.
    let x = Array32(
      [samples, side, side, 2], (0..<samples).flatMap { [Float](repeating: Float($0), count: 2 * side * side) })
    func run(_ blurs: Int, keys: [UInt64] = [0, 1, 2, 3, 4]) -> [Float] {
      var settings = StatefulTrial.Settings()
      settings.keys = keys
      return StatefulTrial([x], settings) { recorder, p, _ in
        ([], [recorder.hybridPairs(recorder.detach(p[0]), blurs: blurs)])
      }.results[0]
    }
    let size = 2 * side * side
    func edges(_ made: [Float]) -> Int {
      (0..<samples).reduce(0) { edges, sample in
        let hybrid = made[(2 * sample + 1) * size..<(2 * sample + 2) * size]
        return edges + zip(hybrid, hybrid.dropFirst()).filter { $0 != $1 }.count
      }
    }
    let made = run(6)
    for sample in 0..<samples {
      #expect(made[2 * sample * size..<(2 * sample + 1) * size].allSatisfy { $0 == Float(sample) })
      let hybrid = made[(2 * sample + 1) * size..<(2 * sample + 2) * size]
      let sources = Set(hybrid)
      #expect(sources.count == 2 && sources.contains(Float(sample)), "sample \(sample): \(sources)")
      // Both channels of a pixel come from one sample.
      let scalars = Array(hybrid)
      #expect((0..<side * side).allSatisfy { scalars[2 * $0] == scalars[2 * $0 + 1] })
    }
    #expect(edges(made) < edges(run(0)) / 2)
    #expect(run(6) == made && run(6, keys: [9, 8, 7, 6, 5]) != made)
  }
}
