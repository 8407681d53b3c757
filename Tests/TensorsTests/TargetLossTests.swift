import Tensors
import Testing

@Suite("Losses of float targets")
struct TargetLossTests {
  static let losses: [String: @Sendable (Recorder, Value, Value) -> Value] = [
    "mean-squared-error": { $0.meanSquaredError($1, $2) }, "binary-cross-entropy": { $0.binaryCrossEntropy($1, $2) },
  ]
  static let names = losses.keys.sorted()

  static func trial(
    _ name: String, _ x: Array32, _ targets: [Float], mode: Mode = .training, weight: Float = 1
  ) throws -> Trial {
    let loss = try #require(losses[name])
    var settings = Trial.Settings()
    settings.mode = mode
    settings.targets = targets.words
    settings.targetWeight = weight
    return Trial([x], settings) { recorder, p in
      ([loss(recorder, p[0], recorder.target(Shape([targets.count]), .float32))], [])
    }
  }

  @Test(arguments: names)
  func agreesWithPyTorch(_ name: String) throws {
    let golden = Goldens.of(name)[0]
    let targets = golden["target"].scalars
    let run = try Self.trial(name, golden["x"], targets, weight: 1 / Float(targets.count))
    #expect(abs(run.metrics[0] / Double(targets.count) / Double(golden["y"].scalars[0]) - 1) < 1e-6)
    #expect(relativeError(run.gradients[0], golden["dx"].scalars) < 1e-6)
    #expect(try Self.trial(name, golden["x"], targets, mode: .evaluation).metrics == run.metrics)
  }

  @Test(arguments: names, [1, 17, 2047, 2048, 5000])
  func gradientsMatchDifferences(_ name: String, _ count: Int) throws {
    let x = Array32.random([count], 1)
    let targets = Array32.random([count], 2).scalars.map { min(max($0, 0), 1) }
    let direction = Array32.random([count], 3).scalars
    func loss(_ sign: Float) throws -> Double {
      var moved = x
      for i in direction.indices { moved.scalars[i] += sign * 1e-2 * direction[i] }
      return try Self.trial(name, moved, targets).metrics[0]
    }
    let gradient = try Self.trial(name, x, targets).gradients[0]
    let slope = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    let difference = try (loss(1) - loss(-1)) / 2e-2
    #expect(abs(slope - difference) < 1e-3 * max(1, abs(slope)))
  }

  @Test(arguments: names)
  func nanAndInfinityShow(_ name: String) throws {
    let run = try Self.trial(name, Array32([3], [.nan, 1, 2]), [0, .nan, 1])
    #expect(run.metrics[0].isNaN)
    #expect(run.gradients[0].map { $0.isNaN } == [true, true, false])
    #expect(try !Self.trial(name, Array32([1], [.infinity]), [0]).metrics[0].isFinite)
  }

  @Test func binaryCrossEntropyOfLargeLogitsIsExact() throws {
    let run = try Self.trial("binary-cross-entropy", Array32([4], [1e4, -1e4, 1e4, -1e4]), [1, 0, 0, 1])
    #expect(run.metrics[0] == 2e4)
    #expect(run.gradients[0] == [0, 0, 1, -1])
  }
}
