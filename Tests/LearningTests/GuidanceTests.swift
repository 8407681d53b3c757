import Layers
import Learning
import Tensors
import Testing
import Training

@Suite("Guidance by representational alignment")
struct GuidanceTests {
  static let guided = "{name: backpropagation, guidance: {model: {layers: [flatten, {linear: 9}, tanh, {linear: 10}]}}}"

  @Test("the guide's parameters and statistics are states that never move")
  func frozen() throws {
    let rule = "{name: backpropagation, guidance: {model: {layers: [{linear: 5}, batch-norm, tanh, {linear: 3}]}}}"
    let learning = try RuleRun.prepare(rule, FeedbackTests.net, .init())
    let plain = try RuleRun.prepare("backpropagation", FeedbackTests.net, .init())
    #expect(learning.model.layout.parameters.map(\.name) == plain.model.layout.parameters.map(\.name))
    #expect(
      learning.model.layout.states.map(\.name)
        == ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias", "1.running_mean", "1.running_var"].map {
          "auxiliary.guide.\($0)"
        })
    #expect(learning.model.layout.states.allSatisfy { $0.motion == .fixed })
  }

  @Test("the guide moves the layers below the representation that follows it, and no others")
  func reach() throws {
    let rule =
      "{name: backpropagation, guidance: {strength: 2, model: {layers: [{linear: 5}, batch-norm, tanh, {linear: 3}]}}}"
    var batch = RuleRun.Batch()
    batch.count = 7
    let run = try RuleRun(rule, FeedbackTests.net, batch)
    let task = try RuleRun("backpropagation", FeedbackTests.net, batch)
    #expect(run.loss == task.loss)
    // One pair: the guide's tanh goes with the first of two.  Later layers get the gradient of the task alone.
    #expect(run.gradient("4.weight") == task.gradient("4.weight"))
    #expect(run.gradient("2.weight") == task.gradient("2.weight"))
    #expect(distance(run.gradient("0.weight"), task.gradient("0.weight")) > 0.01)
  }

  @Test("draws the representations towards the guide's")
  func follows() throws {
    let plain = try LearningRun.train("backpropagation")
    let guided = try LearningRun.train(Self.guided)
    #expect(guided.loss?.isFinite == true)
    #expect(guided.parametersDigest != plain.parametersDigest)
  }
}
