import Strategies
import Tensors
import Testing

/// Every method once more, naively, on the parameters of `CompressedRun`.
@Suite("Compressed strategies do what their papers say")
struct CompressedReferenceTests {
  private let parameters = CompressedRun.layout.parameters
  private let shards = 4

  private func run(_ strategy: String, steps: Int = 4) -> CompressedRun {
    CompressedRun(strategy: strategy, ranks: 2, shards: shards, steps: 0..<steps)
  }

  /// How many scalars a share is.
  private func pairs(_ ratio: Double, _ parameter: Parameter) -> Int {
    max(1, Int(ratio * Double(parameter.range.count)))
  }

  @Test("float16: scaled, rounded, added in order, rounded")
  func float16() throws {
    for (strategy, scale) in [("float16", Float(128)), ("{name: float16, scale: 3}", 3)] {
      let run = run(strategy)
      for (step, block) in try run().blocks.enumerated() {
        for index in 0..<CompressedRun.layout.parameterCount {
          var sum: Float = 0
          for shard in 0..<shards { sum += Float(Float16(run.gradient(step, shard)[index] * scale)) }
          #expect(block[index] == Float(Float16(sum)) * (1 / scale))
        }
      }
    }
  }

  @Test("bfloat16: rounded, added in order, rounded")
  func bfloat16() throws {
    func rounded(_ x: Float) -> Float {
      let bits = x.bitPattern
      return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    }
    let run = run("bfloat16")
    for (step, block) in try run().blocks.enumerated() {
      for index in 0..<CompressedRun.layout.parameterCount {
        var sum: Float = 0
        for shard in 0..<shards { sum += rounded(run.gradient(step, shard)[index]) }
        #expect(block[index] == rounded(sum))
      }
    }
  }

  @Test("top-k: the largest of every parameter, added in order; the rest stays", arguments: [true, false])
  func topK(feedback: Bool) throws {
    let run = run("{name: top-k, ratio: 0.1, feedback: \(feedback)}")
    let outcome = try run()
    let count = CompressedRun.layout.parameterCount
    var residuals = [[Float]](repeating: [Float](repeating: 0, count: count), count: shards)
    for (step, block) in outcome.blocks.enumerated() {
      var expected = [Float](repeating: 0, count: count)
      for shard in 0..<shards {
        let gradient = run.gradient(step, shard)
        for index in 0..<count { residuals[shard][index] = (feedback ? residuals[shard][index] : 0) + gradient[index] }
        for parameter in parameters {
          let largest = parameter.range.sorted {
            let (a, b) = (abs(residuals[shard][$0]), abs(residuals[shard][$1]))
            return a == b ? $0 < $1 : a > b
          }
          for index in largest.prefix(pairs(0.1, parameter)) {
            expected[index] += residuals[shard][index]
            residuals[shard][index] = 0
          }
        }
      }
      #expect(Array(block.prefix(count)) == expected)
    }
    for shard in 0..<shards { #expect(outcome.memory["shard\(shard).residual"] == (feedback ? residuals[shard] : nil)) }
  }

  @Test("random-k: the same places of all shards, other ones every step; the rest stays or the share is made up for")
  func randomK() throws {
    for isUnbiased in [false, true] {
      let run = run("{name: random-k, ratio: 0.1, unbiased: \(isUnbiased)}")
      let outcome = try run()
      let count = CompressedRun.layout.parameterCount
      var residuals = [[Float]](repeating: [Float](repeating: 0, count: count), count: shards)
      var places: [[Int]] = []
      for (step, block) in outcome.blocks.enumerated() {
        let sent = (0..<count).filter { block[$0] != 0 }
        places.append(sent)
        for parameter in parameters {
          #expect(sent.filter(parameter.range.contains).count == pairs(0.1, parameter))
          let share = Float(Double(parameter.range.count) / Double(pairs(0.1, parameter)))
          for index in parameter.range {
            var leaves: [[Float]] = []
            for shard in 0..<shards {
              let gradient = run.gradient(step, shard)[index]
              residuals[shard][index] += gradient
              leaves.append([isUnbiased ? share * gradient : residuals[shard][index]])
              if block[index] != 0 { residuals[shard][index] = 0 }
            }
            if block[index] != 0 { #expect(block[index] == treeSum(leaves[...])[0]) }
          }
        }
      }
      #expect(Set(places).count == places.count)
      for shard in 0..<shards {
        #expect(outcome.memory["shard\(shard).residual"] == (isUnbiased ? nil : residuals[shard]))
      }
    }
  }

  @Test("deep gradient compression: momentum, masking, and shares that fall", arguments: [nil, 0.5])
  func deepGradientCompression(clip: Double?) throws {
    let count = CompressedRun.layout.parameterCount
    // One shard, so that what is applied is what it sent.
    let shares = [0.25, 0.25, 0.0625, 0.0625, 0.05, 0.05]
    let limit = clip.map { ", clip: \($0)" } ?? ""
    let run = CompressedRun(strategy: "{name: dgc, ratio: 0.05, warmup: 2 epochs\(limit)}", steps: 0..<6)
    let outcome = try run()
    var (velocity, accumulation) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
    for (step, block) in outcome.blocks.enumerated() {
      for parameter in parameters {
        var gradient = run.gradient(step, 0).of(parameter)
        let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        if let clip, norm > clip { gradient = gradient.map { $0 * Float(clip / norm) } }
        var sent = 0
        for (index, value) in zip(parameter.range, gradient) {
          velocity[index] = Float(CompressedRun.momentum) * velocity[index] + value
          accumulation[index] += velocity[index]
          if block[index] != 0 {
            sent += 1
            #expect(abs(block[index] - accumulation[index]) <= 1e-6 * abs(accumulation[index]))
            (velocity[index], accumulation[index]) = (0, 0)
          }
        }
        let most = pairs(shares[step], parameter)
        #expect(sent <= most && sent >= min(most, Int(0.8 * Double(most))))
      }
    }
    let (u, v) = (try #require(outcome.memory["shard0.velocity"]), try #require(outcome.memory["shard0.accumulation"]))
    for index in 0..<count {
      #expect(abs(u[index] - velocity[index]) < 1e-6)
      #expect(abs(v[index] - accumulation[index]) < 1e-6)
    }
  }

  @Test("sign-majority: what most say; zero and ties are +1 and −1 by turns")
  func signMajority() throws {
    let run = CompressedRun(strategy: "{name: sign-majority, scale: 0.5}", ranks: 3, shards: shards) { step, shard in
      gentleNumbers(CompressedRun.scalars, seed: 1_000 * step + shard).enumerated().map { $0 % 7 == shard ? 0 : $1 }
    }
    for (step, block) in try run().blocks.enumerated() {
      for index in 0..<CompressedRun.layout.parameterCount {
        let turn = step % 2 == 0 ? 1 : -1
        let votes = (0..<shards).reduce(0) { votes, shard in
          let gradient = run.gradient(step, shard)[index]
          return votes + (gradient == 0 ? turn : gradient > 0 ? 1 : -1)
        }
        #expect(block[index] == (votes == 0 ? Float(turn) : votes > 0 ? 1 : -1) * 0.5)
      }
    }
  }

  @Test("sign-feedback: signs times the mean magnitude of each parameter; the rest stays")
  func signFeedback() throws {
    let run = run("sign-feedback")
    let outcome = try run()
    let count = CompressedRun.layout.parameterCount
    var residuals = [[Double]](repeating: [Double](repeating: 0, count: count), count: shards)
    for (step, block) in outcome.blocks.enumerated() {
      var expected = [Double](repeating: 0, count: count)
      for shard in 0..<shards {
        let gradient = run.gradient(step, shard)
        for parameter in parameters {
          for index in parameter.range { residuals[shard][index] += Double(gradient[index]) }
          let mean = parameter.range.reduce(0) { $0 + abs(residuals[shard][$1]) } / Double(parameter.range.count)
          for index in parameter.range {
            let sent = residuals[shard][index] >= 0 ? mean : -mean
            expected[index] += sent
            residuals[shard][index] -= sent
          }
        }
      }
      for index in 0..<count { #expect(abs(Double(block[index]) - expected[index]) < 1e-5) }
    }
  }

  @Test("qsgd: neighbouring levels of a bucket's norm, right on average", arguments: ["euclidean", "maximum"])
  func qsgd(norm: String) throws {
    let (levels, steps) = (4, 400)
    let gradient = gentleNumbers(CompressedRun.scalars, seed: 5)
    let strategy = "{name: qsgd, levels: \(levels), bucket: 256, norm: \(norm)}"
    let run = CompressedRun(strategy: strategy, steps: 0..<steps) { _, _ in gradient }
    let blocks = try run().blocks
    for parameter in parameters {
      for start in stride(from: parameter.range.lowerBound, to: parameter.range.upperBound, by: 256) {
        let bucket = start..<min(start + 256, parameter.range.upperBound)
        let size =
          norm == "maximum"
          ? bucket.map { Double(abs(gradient[$0])) }.max() ?? 0
          : bucket.reduce(0) { $0 + Double(gradient[$1]) * Double(gradient[$1]) }.squareRoot()
        let unit = size / Double(levels)
        for index in bucket {
          let exact = Double(gradient[index]) / unit
          var mean = 0.0
          for block in blocks {
            let level = Double(block[index]) / unit
            #expect(abs(level - level.rounded()) < 1e-4 && abs(level - exact) < 1 + 1e-4)
            mean += level / Double(steps)
          }
          // A level's deviation is at most ½; six of the mean's.
          #expect(abs(mean - exact) < 6 * 0.5 / Double(steps).squareRoot())
        }
      }
    }
  }

  @Test("terngrad: −s, 0 and s with the largest s of all shards, right on average")
  func terngrad() throws {
    let steps = 400
    let gradients = (0..<shards).map { gentleNumbers(CompressedRun.scalars, seed: 5 + $0) }
    let run = CompressedRun(strategy: "terngrad", ranks: 2, shards: shards, steps: 0..<steps) { _, shard in
      gradients[shard]
    }
    let blocks = try run().blocks
    for parameter in parameters {
      let limits = gradients.map { gradient -> Double in
        let scalars = gradient.of(parameter).map(Double.init)
        let deviation = (scalars.reduce(0) { $0 + $1 * $1 } / Double(scalars.count)).squareRoot()
        return min(2.5 * deviation, scalars.map(abs).max() ?? 0)
      }
      let scaler = limits.max() ?? 0
      for index in parameter.range {
        let exact = zip(gradients, limits).reduce(0.0) { sum, pair in
          sum + max(-pair.1, min(pair.1, Double(pair.0[index])))
        }
        var mean = 0.0
        for block in blocks {
          let level = Double(block[index]) / scaler
          #expect(abs(level - level.rounded()) < 1e-4 && abs(level) < Double(shards) + 1e-4)
          mean += Double(block[index]) / Double(steps)
        }
        // A shard's deviation is at most ½ s.
        #expect(abs(mean - exact) < 6 * 0.5 * scaler * (Double(shards) / Double(steps)).squareRoot())
      }
    }
  }

  @Test("powersgd: exact at first, then the power iteration of algorithm 1", arguments: [1, 2])
  func powerSGD(rank: Int) throws {
    let run = run("{name: powersgd, rank: \(rank), start: 1}")
    let outcome = try run()
    let count = CompressedRun.layout.parameterCount
    let exact = treeSum((0..<shards).map { run.gradient(0, $0) }[...])
    #expect(outcome.blocks[0].bits == exact.bits)

    // The factors it began with lie in the order of buckets, whose parameters run from the end.
    var warm = try #require(outcome.initialMemory["right-factors"]).map(Double.init)[...]
    var factors: [Int: [[Double]]] = [:]
    for (index, parameter) in parameters.enumerated().reversed() where parameter.shape.rank > 1 {
      let columns = parameter.range.count / parameter.shape[0]
      factors[index] = (0..<rank).map { _ in
        defer { warm = warm.dropFirst(columns) }
        return Array(warm.prefix(columns))
      }
    }
    #expect(warm.isEmpty)
    var residuals = [[Double]](repeating: [Double](repeating: 0, count: count), count: shards)
    for step in 1..<outcome.blocks.count {
      let block = outcome.blocks[step]
      for (index, parameter) in parameters.enumerated() {
        let gradients = (0..<shards).map { run.gradient(step, $0).of(parameter) }
        guard var right = factors[index] else {
          #expect(block.of(parameter).bits == treeSum(gradients[...]).bits)
          continue
        }
        let columns = parameter.range.count / parameter.shape[0]
        right = orthonormal(right)
        var total = [Double](repeating: 0, count: parameter.range.count)
        for shard in 0..<shards {
          for (place, value) in gradients[shard].enumerated() {
            residuals[shard][parameter.range.lowerBound + place] += Double(value)
            total[place] += residuals[shard][parameter.range.lowerBound + place]
          }
        }
        let left = orthonormal(
          right.map { q in
            (0..<parameter.shape[0]).map { row in
              (0..<columns).reduce(0) { $0 + total[row * columns + $1] * q[$1] }
            }
          })
        right = left.map { p in
          (0..<columns).map { column in
            (0..<parameter.shape[0]).reduce(0) { $0 + total[$1 * columns + column] * p[$1] }
          }
        }
        factors[index] = right
        for (place, index) in parameter.range.enumerated() {
          let value = (0..<rank).reduce(0) { $0 + left[$1][place / columns] * right[$1][place % columns] }
          #expect(abs(Double(block[index]) - value) < 2e-4)
          for shard in 0..<shards { residuals[shard][index] -= value / Double(shards) }
        }
      }
    }
  }

  private func orthonormal(_ vectors: [[Double]]) -> [[Double]] {
    var result: [[Double]] = []
    for vector in vectors {
      var rest = vector
      for other in result {
        let share = zip(rest, other).reduce(0) { $0 + $1.0 * $1.1 }
        rest = zip(rest, other).map { $0 - share * $1 }
      }
      let norm = rest.reduce(0) { $0 + $1 * $1 }.squareRoot()
      result.append(rest.map { $0 / norm })
    }
    return result
  }

  @Test("bytes are those of the documented formulas, by hand for 480, 24, 144 and 5 scalars on two ranks of two shards")
  func bytes() throws {
    // In one bucket of 653 gradients, rank 0 owns 20 of 41 lines, 320 scalars; of the 3 scalars of the tail it owns none.
    let parts = (own: [320, 333], other: [333, 320])
    let tail = [4 * 2 * 3, 4 * 3]
    let sparse = 8 * (48 + 2 + 14 + 1) * 2
    let dense = 8 * (120 + 6 + 36 + 1) * 2
    let signs = 2 * (4 * 4 + 60 + 3 + 18 + 1)
    let votes = (4 + 40, 4 + 42)
    let expected: [String: [Int]] = [
      "float16": (0..<2).map { 2 * (2 * parts.other[$0] + parts.own[$0]) },
      "bfloat16": (0..<2).map { 2 * (2 * parts.other[$0] + parts.own[$0]) },
      "{name: top-k, ratio: 0.1}": [sparse, sparse],
      "{name: random-k, ratio: 0.1}": [4 * (2 * 33 + 32), 4 * (2 * 32 + 33)],  // 65 values: 2 of 5 lines for rank 0
      "sign-majority": [2 * votes.1 + votes.0, 2 * votes.0 + votes.1],
      "sign-feedback": [signs, signs],
      "{name: qsgd, levels: 7, bucket: 256}": [Int](repeating: 2 * (4 * (2 + 1 + 1 + 1) + 240 + 12 + 72 + 3), count: 2),
      "terngrad": [Int](repeating: 2 * (8 * 4 + 120 + 6 + 36 + 2), count: 2),
      // Left factors 24 + 8 and vectors 24 + 5, 61 scalars in 4 lines; right factors 20 + 18, 38 in 3.
      "{name: powersgd, start: 0}": [
        4 * (2 * 29 + 32) + 4 * (2 * 22 + 16), 4 * (2 * 32 + 29) + 4 * (2 * 16 + 22),
      ],
      "{name: dgc, ratio: 0.25}": [dense, dense],
    ]
    for (strategy, bytes) in expected {
      let outcome = try CompressedRun(strategy: strategy, ranks: 2, shards: 4, bucket: 10_000, steps: 0..<1)()
      #expect(outcome.counted == (0..<2).map { [bytes[$0] + tail[$0]] }, "\(strategy)")
    }
  }
}
