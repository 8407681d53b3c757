import Foundation
import Tensors
import Testing

@Suite("Goodness of views, and means of softmaxes")
struct GoodnessContrastTests {
  static func contrast(_ views: [Array32], _ targets: [Int32], threshold: Float, weight: Float = 1) -> Trial {
    var settings = Trial.Settings()
    settings.targets = targets.words
    settings.targetWeight = weight
    return Trial(views, settings) { recorder, p in
      ([recorder.goodnessContrast(p, recorder.target([targets.count], .int32), threshold: threshold)], [])
    }
  }

  @Test("the first view is positive, the others negative; rows without a class are left out", arguments: [1, 2, 5])
  func contrast(_ negatives: Int) {
    let (targets, width) = ([2, -1, 0, 1] as [Int32], 17)
    let views = (0...negatives).map { Array32.random([1, 4, width], UInt64($0 + 1)) }
    let run = Self.contrast(views, targets, threshold: 3, weight: 0.5)
    var (loss, correct) = (0.0, 0.0)
    for row in [0, 2, 3] {
      let logits = views.map { view in
        let scalars = view.scalars[row * width..<(row + 1) * width].map(Double.init)
        return scalars.reduce(-3.0) { $0 + $1 * $1 }
      }
      loss += log(1 + exp(-logits[0]))
      for logit in logits.dropFirst() { loss += log(1 + exp(logit)) / Double(negatives) }
      correct += logits.dropFirst().allSatisfy { $0 < logits[0] } ? 1 : 0
      for (view, logit) in logits.enumerated() {
        let wrong = 1 / (1 + exp(-logit))
        let share = view == 0 ? wrong - 1 : wrong / Double(negatives)
        for i in row * width..<(row + 1) * width {
          let expected = share * Double(views[view].scalars[i])
          #expect(abs(Double(run.gradients[view][i]) - expected) < 1e-5)
        }
      }
    }
    #expect(abs(run.metrics[0] - loss) < 1e-5 * loss)
    #expect(run.metrics[1] == correct)
    for gradient in run.gradients { #expect(gradient[width..<2 * width].allSatisfy { $0 == 0 }) }
  }

  @Test("views that are equal are no success, and NaN is none either")
  func ties() {
    let x = Array32.random([1, 2, 3], 7)
    #expect(Self.contrast([x, x], [0, 1], threshold: 1).metrics[1] == 0)
    let run = Self.contrast([Array32([1, 2, 3], .init(repeating: .nan, count: 6)), x], [0, 1], threshold: 1)
    #expect(run.metrics[0].isNaN && run.metrics[1] == 0)
  }

  static func mean(_ values: [Array32]) -> [Float] {
    var settings = Trial.Settings()
    settings.mode = .evaluation
    return Trial(values, settings) { recorder, p in ([], [recorder.logMeanSoftmax(p)]) }.results[0]
  }

  @Test("the logarithm of the mean of softmaxes is that of the formula", arguments: [1, 2, 4])
  func logMean(_ count: Int) {
    let (rows, width) = (5, 7)
    let values = (0..<count).map { Array32.random([rows, width], UInt64($0 + 1)) }
    let made = Self.mean(values)
    for row in 0..<rows {
      let shares = values.map { value in
        let powers = value.scalars[row * width..<(row + 1) * width].map { exp(Double($0)) }
        let total = powers.reduce(0, +)
        return powers.map { $0 / total }
      }
      for i in 0..<width {
        let expected = log(shares.reduce(0) { $0 + $1[i] } / Double(count))
        #expect(abs(Double(made[row * width + i]) - expected) < 1e-5)
      }
    }
  }

  @Test("shares too small for Float32 keep their logarithm, and NaN spoils its row")
  func extremes() {
    let far = Array32([2, 2], [0, -500, .nan, 1])
    let made = Self.mean([far, far])
    #expect(made[0] == 0 && abs(made[1] + 500) < 1e-3)
    #expect(made[2].isNaN && made[3].isNaN)
  }
}
