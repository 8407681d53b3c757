import Tensors
import Testing

@Suite("Softmax cross entropy")
struct SoftmaxCrossEntropyTests {
  static func trial(
    _ logits: Array32, _ classes: [Int32], smoothing: Float = 0, mode: Mode = .training, weight: Float = 1
  ) -> Trial {
    var settings = Trial.Settings()
    settings.mode = mode
    settings.targets = classes.words
    settings.targetWeight = weight
    return Trial([logits], settings) { recorder, p in
      let targets = recorder.target(Shape([classes.count]), .int32)
      return ([recorder.softmaxCrossEntropy(p[0], targets, smoothing: smoothing)], [])
    }
  }

  @Test(arguments: Goldens.of("softmax-cross-entropy"))
  func agreesWithPyTorch(_ golden: Golden) {
    let classes = golden.integers("target")
    let rows = Float(classes.count)
    let smoothing = Float(golden.number("labelSmoothing"))
    let run = Self.trial(golden["x"], classes, smoothing: smoothing, weight: 1 / rows)
    #expect(abs(run.metrics[0] / Double(rows) / Double(golden["y"].scalars[0]) - 1) < 1e-6)
    #expect(relativeError(run.gradients[0], golden["dx"].scalars) < 1e-6)
    let evaluation = Self.trial(golden["x"], classes, smoothing: smoothing, mode: .evaluation)
    #expect(evaluation.metrics == run.metrics, "evaluation reports what training does")
  }

  @Test(arguments: [1, 2, 10, 15, 16, 17, 65, 3000], [1, 7])
  func gradientsMatchDifferences(_ classes: Int, _ rows: Int) {
    let logits = Array32.random([rows, classes], 1)
    let targets = (0..<rows).map { Int32($0 * 7 % classes) }
    let direction = Array32.random([rows, classes], 2).scalars
    func loss(_ sign: Float) -> Double {
      var moved = logits
      for i in direction.indices { moved.scalars[i] += sign * 1e-2 * direction[i] }
      return Self.trial(moved, targets, smoothing: 0.1).metrics[0]
    }
    let gradient = Self.trial(logits, targets, smoothing: 0.1).gradients[0]
    let slope = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    #expect(abs(slope - (loss(1) - loss(-1)) / 2e-2) < 1e-3 * max(1, abs(slope)))
  }

  @Test func theFirstOfSeveralLargestLogitsCounts() {
    let logits = Array32([4, 3], [1, 2, 2, 1, 2, 2, 3, 3, 3, 3, 3, 3])
    #expect(Self.trial(logits, [1, 2, 0, 1]).metrics[1] == 2)
  }

  @Test(arguments: [Mode.training, .evaluation])
  func aRowWithNaNIsWrongAndMakesTheLossNaN(_ mode: Mode) {
    let logits = Array32([3, 3], [1, .nan, 3, 5, .nan, 5, 0, 0, 9])
    let run = Self.trial(logits, [2, 2, 2], mode: mode)
    #expect(run.metrics[0].isNaN)
    #expect(run.metrics[1] == 1)
    if mode == .training {
      #expect(run.gradients[0].map { $0.isNaN } == [true, true, true, true, true, true, false, false, false])
    }
  }

  @Test func infiniteLogits() {
    let certain = Self.trial(Array32([1, 3], [-.infinity, 2, -.infinity]), [1])
    #expect(certain.metrics == [0, 1])
    #expect(certain.gradients[0] == [0, 0, 0])
    #expect(Self.trial(Array32([1, 3], [-.infinity, 2, 0]), [0]).metrics[0] == .infinity)
    #expect(Self.trial(Array32([1, 3], [.infinity, 2, 0]), [0]).metrics[0].isNaN)
    #expect(Self.trial(Array32([1, 3], [1e38, -1e38, 0]), [0]).metrics == [0, 1])
  }

  @Test(arguments: [Int32(-2), 3, Int32.max, Int32.min])
  func aClassOutOfRangeIsNaN(_ target: Int32) {
    let run = Self.trial(Array32([2, 3], [1, 2, 3, 1, 2, 3]), [target, 2])
    #expect(run.metrics[0].isNaN)
    #expect(run.metrics[1] == 1)
    #expect(run.gradients[0][..<3].allSatisfy { $0.isNaN })
    #expect(run.gradients[0][3...].allSatisfy { $0.isFinite })
  }

  @Test(arguments: Goldens.of("masked-cross-entropy"), [Float(0), 0.1])
  func aRowWithoutAClassAddsNothing(_ golden: Golden, _ smoothing: Float) {
    let classes = golden.integers("target")
    let labelled = Float(classes.count { $0 >= 0 })
    func run(_ mode: Mode) -> Trial {
      Self.trial(golden["x"], classes, smoothing: smoothing, mode: mode, weight: 1 / labelled)
    }
    let training = run(.training)
    #expect(run(.evaluation).metrics == training.metrics)
    #expect(training.metrics[1] <= Double(labelled))
    for (row, target) in classes.enumerated() {
      #expect(training.gradients[0][5 * row..<5 * row + 5].allSatisfy { ($0 == 0) == (target < 0) })
    }
    guard smoothing == 0 else { return }
    #expect(abs(training.metrics[0] / Double(labelled) / Double(golden["y"].scalars[0]) - 1) < 1e-6)
    #expect(relativeError(training.gradients[0], golden["dx"].scalars) < 1e-6)
  }

  @Test func aRowWithoutAClassMayHoldAnything() {
    let run = Self.trial(Array32([2, 3], [.nan, .infinity, 3, 1, 2, 3]), [-1, 2])
    #expect(run.metrics[0].isFinite)
    #expect(run.metrics[1] == 1)
    #expect(Array(run.gradients[0][..<3]) == [0, 0, 0])
  }

  @Test func aWeightScalesTheGradientAndNotTheReport() {
    let logits = Array32.random([4, 5], 1)
    var settings = Trial.Settings()
    settings.targets = [Int32(0), 1, 2, 3].words
    func run(_ weight: Float) -> Trial {
      Trial([logits], settings) { recorder, p in
        ([recorder.softmaxCrossEntropy(p[0], recorder.target([4], .int32), weight: weight)], [])
      }
    }
    #expect(run(0.5).metrics == run(1).metrics)
    #expect(run(0.5).gradients[0] == run(1).gradients[0].map { $0 * 0.5 })
  }

  /// Where the logits' memory may be taken over, and where it may not.
  @Test func memoryMakesNoDifference() {
    let logits = Array32.random([40, 65], 1)
    var settings = Trial.Settings()
    settings.targets = (0..<40).map { Int32($0) }.words
    func run(keeping: Bool) -> Trial {
      Trial([logits], settings) { recorder, p in
        let x = recorder.scale(p[0], by: 3)
        return ([recorder.softmaxCrossEntropy(x, recorder.target([40], .int32))], keeping ? [x] : [])
      }
    }
    #expect(run(keeping: true).gradients == run(keeping: false).gradients)
    #expect(run(keeping: true).metrics == run(keeping: false).metrics)
    #expect(run(keeping: true).results[0] == logits.scalars.map { $0 * 3 })
  }
}
