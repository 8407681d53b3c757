import Tensors
import Testing

@Suite("Dropout")
struct DropoutTests {
  static func masks(
    keys: [UInt64], size: Int, probability: Float = 0.25, seed: UInt64 = 1, epoch: UInt64 = 0, layers: Int = 1
  ) -> [[Float]] {
    var settings = Trial.Settings()
    (settings.keys, settings.seed, settings.epoch) = (keys, seed, epoch)
    let ones = Array32([keys.count, size], .init(repeating: 1, count: keys.count * size))
    let run = Trial([ones], settings) { recorder, p in
      ([], (0..<layers).map { _ in recorder.dropout(p[0], probability: probability) })
    }
    return run.results
  }

  @Test(arguments: [1, 3, 4, 5, 64, 1001])
  func aMaskDependsOnTheSampleAlone(_ size: Int) {
    let together = Self.masks(keys: [5, 9, 1 << 40], size: size)[0]
    for (row, key) in [UInt64(5), 9, 1 << 40].enumerated() {
      #expect(Self.masks(keys: [key], size: size)[0] == Array(together[row * size..<(row + 1) * size]))
    }
  }

  @Test func masksDifferBetweenSamplesEpochsSeedsAndLayers() {
    let masks = [
      Self.masks(keys: [1], size: 100)[0], Self.masks(keys: [2], size: 100)[0],
      Self.masks(keys: [1 + 1 << 32], size: 100)[0], Self.masks(keys: [1], size: 100, seed: 2)[0],
      Self.masks(keys: [1], size: 100, epoch: 1)[0], Self.masks(keys: [1], size: 100, layers: 2)[1],
    ]
    #expect(Set(masks).count == masks.count)
    #expect(Self.masks(keys: [1], size: 100)[0] == masks[0])
  }

  @Test(arguments: [Float(0.1), 0.5, 0.9])
  func dropsTheShareAskedFor(_ probability: Float) {
    let mask = Self.masks(keys: [1, 2, 3, 4], size: 25_000, probability: probability)[0]
    let scale = 1 / (1 - probability)
    #expect(mask.allSatisfy { $0 == 0 || $0 == scale })
    let dropped = Double(mask.count { $0 == 0 }) / 1e5
    let deviation = (Double(probability) * (1 - Double(probability)) / 1e5).squareRoot()
    #expect(abs(dropped - Double(probability)) < 4 * deviation)
    // Neighbours are independent: so is the number of pairs dropped.
    for distance in 1...4 {
      let pairs = (0..<mask.count - distance).count { mask[$0] == 0 && mask[$0 + distance] == 0 }
      let share = Double(probability) * Double(probability)
      #expect(abs(Double(pairs) / 1e5 - share) < 8 * (share * (1 - share) / 1e5).squareRoot())
    }
  }

  @Test(arguments: [(1, 1), (3, 7), (2, 64), (3, 33)])
  func theGradientIsTheMask(_ size: (Int, Int)) {
    let (samples, width) = size
    let x = Array32.random([samples, width], 1)
    let weights = Array32.random([samples, width], 2)
    var settings = Trial.Settings()
    settings.keys = (0..<UInt64(samples)).map { $0 * 3 }
    settings.samples = weights.scalars.words
    let run = Trial([x], settings) { recorder, p in
      let y = recorder.dropout(p[0], probability: 0.5)
      return ([recorder.weightedSum(y, recorder.input([width], .float32))], [y])
    }
    for i in x.scalars.indices {
      let mask: Float = run.results[0][i] == 0 ? 0 : 2
      #expect(run.results[0][i] == x.scalars[i] * mask)
      #expect(run.gradients[0][i] == weights.scalars[i] * mask)
    }
  }

  @Test func stepsOfOneExecutorRenewTheMask() {
    // A dropout of parameters alone is no preparation: it runs every step.
    var settings = Trial.Settings()
    settings.runs = 2
    let run = Trial([Array32([1, 8], .init(repeating: 1, count: 8))], settings) { recorder, p in
      ([], [recorder.dropout(p[0], probability: 0.5)])
    }
    #expect(run.results[0] == Self.masks(keys: [0], size: 8, probability: 0.5, seed: 0)[0])
  }

  @Test func evaluationDropsNothing() {
    var settings = Trial.Settings()
    settings.mode = .evaluation
    let x = Array32.random([1, 9], 1)
    let run = Trial([x], settings) { recorder, p in ([], [recorder.relu(recorder.dropout(p[0], probability: 0.5))]) }
    #expect(run.results[0] == x.scalars.map { max($0, 0) })
  }

  @Test func nanAndInfinityShowEvenWhereDropped() {
    let x = Array32([1, 20], (0..<20).map { $0 % 2 == 0 ? .nan : .infinity })
    let run = Trial([x]) { recorder, p in ([], [recorder.dropout(p[0], probability: 0.5)]) }
    #expect(run.results[0].allSatisfy { !$0.isFinite })
  }
}
