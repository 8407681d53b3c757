import Tensors
import Testing

@Suite("Distance to the prototypes of classes")
struct PrototypeLossTests {
  /// Rows of random numbers, their classes, and prototypes of all classes but the last.
  struct Case: Sendable, CustomTestStringConvertible {
    let rows: Int
    let width: Int
    let classes: Int

    var testDescription: String { "\(rows) rows of \(width), \(classes) classes" }

    var x: Array32 { Array32.random([rows, width], 1) }

    var labels: [Int32] { (0..<rows).map { Int32(($0 * 7 + 3) % classes) } }

    var table: [Float] {
      var table = Array32.random([classes, width + 1], 2).scalars
      for label in 0..<classes { table[label * (width + 1) + width] = label == classes - 1 ? 0 : 1 }
      return table
    }

    func isKnown(_ row: Int) -> Bool { Int(labels[row]) != classes - 1 }

    /// Row i less its prototype.
    func difference(_ row: Int, _ i: Int) -> Double {
      Double(x.scalars[row * width + i]) - Double(table[Int(labels[row]) * (width + 1) + i])
    }
  }

  static let cases = [(1, 1, 2), (4, 50, 10), (9, 17, 3), (64, 33, 4)].map {
    Case(rows: $0.0, width: $0.1, classes: $0.2)
  }

  static func settings(_ sample: Case, _ mode: Mode = .training) -> Trial.Settings {
    var settings = Trial.Settings()
    settings.mode = mode
    settings.keys = (0..<UInt64(sample.rows)).map { $0 }
    settings.targets = sample.labels.words
    settings.targetWeight = 1 / Float(sample.rows)
    settings.table = sample.table
    return settings
  }

  static func loss(_ recorder: Recorder, _ x: Value, _ sample: Case, weight: Float = 1) -> Value {
    recorder.prototypeLoss(
      x, recorder.target([], .int32), recorder.table([sample.classes, sample.width + 1]), weight: weight)
  }

  @Test("is the formula's, gradient included, and nothing for a class without a prototype", arguments: cases)
  func formula(_ sample: Case) {
    let run = Trial([sample.x], Self.settings(sample)) { recorder, p in
      ([Self.loss(recorder, p[0], sample, weight: 0.3)], [])
    }
    var sum = 0.0
    for row in 0..<sample.rows where sample.isKnown(row) {
      for i in 0..<sample.width { sum += sample.difference(row, i) * sample.difference(row, i) / Double(sample.width) }
    }
    #expect(abs(run.metrics[0] - sum) <= 1e-6 * sum)
    for row in 0..<sample.rows {
      for i in 0..<sample.width {
        let scale = 2 * 0.3 / Double(sample.rows * sample.width)
        let expected = sample.isKnown(row) ? scale * sample.difference(row, i) : 0
        #expect(abs(Double(run.gradients[0][row * sample.width + i]) - expected) < 3e-6 * scale)
      }
    }
    let evaluated = Trial([sample.x], Self.settings(sample, .evaluation)) { recorder, p in
      ([Self.loss(recorder, p[0], sample)], [])
    }
    #expect(evaluated.metrics == run.metrics)
  }

  @Test("has the gradient that differences have", arguments: cases)
  func differences(_ sample: Case) {
    let direction = Array32.random([sample.rows, sample.width], 3).scalars
    func trial(_ step: Float) -> Trial {
      var moved = sample.x
      for i in direction.indices { moved.scalars[i] += step * direction[i] }
      return Trial([moved], Self.settings(sample)) { recorder, p in ([Self.loss(recorder, p[0], sample)], []) }
    }
    let slope = zip(trial(0).gradients[0], direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    let difference = (trial(1e-2).metrics[0] - trial(-1e-2).metrics[0]) / 2e-2 / Double(sample.rows)
    #expect(abs(slope - difference) < 1e-4 * max(1, abs(slope)))
  }

  @Test("adds to what other losses say of the same value", arguments: cases)
  func sum(_ sample: Case) {
    func gradients(_ withEntropy: Bool, _ withDistance: Bool) -> [Float] {
      var settings = Self.settings(sample)
      settings.targets = settings.targets.map { $0 % UInt32(sample.width) }
      return Trial([sample.x], settings) { recorder, p in
        let z = recorder.relu(p[0])
        var losses: [Value] = []
        if withEntropy { losses.append(recorder.softmaxCrossEntropy(z, recorder.target([], .int32))) }
        if withDistance { losses.append(Self.loss(recorder, z, sample)) }
        return (losses, [])
      }.gradients[0]
    }
    let (entropy, distance) = (gradients(true, false), gradients(false, true))
    for (both, parts) in zip(gradients(true, true), zip(entropy, distance)) {
      #expect(abs(both - (parts.0 + parts.1)) < 1e-6)
    }
  }
}
