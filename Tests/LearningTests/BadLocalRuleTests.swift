import Configuration
import Layers
import Learning
import Tensors
import Testing

@Suite("Local rules that do not fit are refused, with the reason")
struct BadLocalRuleTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let rule: String
    let model: String
    let words: [String]
    var input = Signal([8, 8, 1])
    var target: Shape = []
    var testDescription: String { "\(rule) for \(model)" }
  }

  static let mlp = "{name: mlp, widths: [5, 4, 3]}"
  static let cases = [
    Case(rule: "{name: dgl, blocks: 4}", model: mlp, words: ["learning.blocks is 4", "3 blocks"]),
    Case(rule: "{name: greedy, blocks: 9}", model: mlp, words: ["learning.blocks is 9"]),
    Case(
      rule: "man", model: "[flatten, {linear: 10}]", words: ["no nonlinearity", "`1` is the last", "backpropagation"]),
    Case(rule: "{name: auglocal, depth: 3}", model: mlp, words: ["learning.depth is 3", "3 blocks", "at most 2"]),
    Case(rule: "{name: auglocal, depth: 0}", model: mlp, words: ["learning.depth", "0"]),
    Case(rule: "{name: auglocal, pyramid: 1.5}", model: mlp, words: ["learning.pyramid", "1.5"]),
    Case(rule: "{name: dgl, head: wide}", model: mlp, words: ["learning.head", "wide", "full"]),
    Case(rule: "{name: man, momentum: -1}", model: mlp, words: ["learning.momentum", "-1"]),
    Case(rule: "{name: man, host: backpropagation}", model: mlp, words: ["learning.host"]),
    Case(rule: "{name: infopro, reconstruction: [1]}", model: mlp, words: ["learning.reconstruction", "two numbers"]),
    Case(rule: "{name: infopro, loss: contrast, temperature: 0}", model: mlp, words: ["learning.temperature"]),
    Case(rule: "{name: infopro, temperature: 1}", model: mlp, words: ["unknown key `temperature`"]),
    Case(rule: "{name: man, ramp: blocks}", model: mlp, words: ["unknown key `ramp`"]),
    Case(rule: "{name: noprop, variant: fm, eta: 2}", model: mlp, words: ["unknown key `eta`"]),
    Case(rule: "auglocal", model: "[flatten, {linear: 8}, relu, {linear: 10}]", words: ["one block", "layer `2`"]),
    Case(
      rule: "{name: infopro, loss: contrast}", model: "{name: gpt, width: 8, heads: 2, depth: 2}",
      words: ["contrast", "one class a sample"], input: Signal(tokens: [1], vocabulary: 9), target: [1]),
    Case(
      rule: "{name: infopro, loss: contrast}", model: "{name: gpt, width: 8, heads: 2, depth: 2}",
      words: ["contrast", "one class a sample"], input: Signal(tokens: [6], vocabulary: 9), target: [6]),
    Case(
      rule: "{name: auglocal, depth: 1}",
      model: "[flatten, {linear: 8}, relu, {linear: 6}, relu, {linear: 7}, relu, {residual: [{linear: 7}, relu]}]",
      words: ["auglocal", "copy block 3", "residual", "7", "8"]),
    Case(
      rule: "infopro", model: "[{embedding: 4}, {recurrent: {hidden: 5, last: true}}, {linear: 6}, relu, {linear: 10}]",
      words: ["infopro", "block 0", "tokens"], input: Signal(tokens: [6], vocabulary: 9)),
  ]

  @Test(arguments: cases)
  func refused(_ example: Case) throws {
    let error = #expect(throws: ConfigurationError.self) {
      try RuleWithoutData.prepare(example.rule, example.model, input: example.input, target: example.target)
    }
    for word in example.words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "")") }
  }
}
