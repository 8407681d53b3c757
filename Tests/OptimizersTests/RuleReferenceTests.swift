import Optimizers
import Tensors
import Testing

@Suite("Update rules give PyTorch's numbers")
struct RuleReferenceTests {
  /// Ten steps at scheduled rates, some clipped.  Float32 against Float64: an update rounds a handful of times by half a last
  /// place (6e-8), and errors of ten updates mostly cancel; 4e-7 was the largest found.
  @Test(arguments: References.stored.rules.cases)
  func tenSteps(_ reference: References.Rules.Case) throws {
    let stored = References.stored.rules
    let configuration = try configuration(reference.options)
    let layout = layout([[2, 3], [5]])
    let optimizer = configuration.make(layout: layout)
    let norm = GradientNorm(layout)
    let weights = Storage(zeros: 11)
    let gradients = Storage(zeros: 11)
    for i in 0..<11 { weights.base[i] = stored.weights[i] }
    for step in 0..<stored.steps {
      for i in 0..<11 { gradients.base[i] = stored.gradients[step][i] }
      norm.measure(gradients.base, range: 0..<11)
      optimizer.measure(parameters: weights.base, gradients: gradients.base, range: 0..<11, step: step)
      optimizer.update(
        parameters: weights.base, gradients: gradients.base, range: 0..<11, step: step,
        learningRate: configuration.learningRate(
          step: step, stepsPerEpoch: stored.stepsPerEpoch, totalSteps: stored.steps),
        gradientScale: reference.clip > 0 ? GradientNorm.scale(norm: norm.norm, clip: reference.clip) : 1)
      guard let index = stored.recorded.firstIndex(of: step + 1) else { continue }
      for i in 0..<11 {
        let expected = reference.after[index][i]
        let error = abs(Double(weights.base[i]) - expected)
        #expect(
          error <= 1e-6 * max(1, abs(expected)),
          "weight \(i) after \(step + 1) steps is \(weights.base[i]), not \(expected)")
      }
    }
  }
}
