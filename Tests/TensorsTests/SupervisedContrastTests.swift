import Tensors
import Testing

@Suite("Drawing rows of a class together")
struct SupervisedContrastTests {
  static func trial(
    _ x: Array32, _ classes: [Int32], temperature: Float, mode: Mode = .training, weight: Float = 1
  ) -> Trial {
    var settings = Trial.Settings()
    settings.mode = mode
    settings.keys = classes.indices.map { UInt64($0) }
    settings.targets = classes.words
    return Trial([x], settings) { recorder, p in
      let targets = recorder.target([], .int32)
      return ([recorder.supervisedContrast(p[0], targets, temperature: temperature, weight: weight)], [])
    }
  }

  @Test(arguments: Goldens.of("supervised-contrast"))
  func agreesWithPyTorch(_ golden: Golden) {
    let (x, classes) = (golden["x"], golden.integers("target"))
    let run = Self.trial(x, classes, temperature: Float(golden.number("temperature")))
    #expect(abs(run.metrics[0] / Double(golden["y"].scalars[0]) - 1) < 1e-6)
    #expect(relativeError(run.gradients[0], golden["dx"].scalars) < 5e-6)
    let evaluated = Self.trial(x, classes, temperature: Float(golden.number("temperature")), mode: .evaluation)
    #expect(evaluated.metrics == run.metrics)
  }

  @Test("gradients match differences, and weigh what they are told to", arguments: [(2, 3), (7, 16), (33, 5)])
  func gradients(_ rows: Int, _ width: Int) {
    let classes = (0..<rows).map { Int32($0 * $0 % 3) }
    let x = Array32.random([rows, width], 1)
    let direction = Array32.random([rows, width], 2).scalars
    func loss(_ sign: Float) -> Double {
      var moved = x
      for i in direction.indices { moved.scalars[i] += sign * 1e-3 * direction[i] }
      return Self.trial(moved, classes, temperature: 0.5).metrics[0]
    }
    let gradient = Self.trial(x, classes, temperature: 0.5, weight: 3).gradients[0]
    let slope = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) } / 3
    let difference = (loss(1) - loss(-1)) / 2e-3
    #expect(abs(slope - difference) < 1e-2 * max(1, abs(slope)))
  }

  @Test("a row without another of its class counts nothing, and one of zeros is finite")
  func loners() {
    let alone = Self.trial(.random([3, 4], 1), [0, 1, 2], temperature: 0.07)
    #expect(alone.metrics == [0])
    #expect(alone.gradients[0].allSatisfy { $0 == 0 })
    let zeros = Self.trial(Array32([2, 2], [0, 0, 1, 2]), [1, 1], temperature: 0.07)
    #expect(zeros.metrics[0].isFinite)
    #expect(zeros.gradients[0].allSatisfy { $0.isFinite })
  }
}
