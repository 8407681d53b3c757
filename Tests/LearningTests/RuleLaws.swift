import Learning
import Testing
import Training

/// What holds for every learning rule.
@Suite("Laws of learning rules")
struct RuleLaws {
  /// A line for each rule, with options where a rule needs some.
  static let rules = [
    "backpropagation", "dgl", "{name: dgl, blocks: 1}", "{name: noprop, blocks: 2, units: 8}",
    "{name: noprop, variant: ct, units: 8, inference-steps: 2}",
    "{name: noprop, variant: fm, units: 8, inference-steps: 2}",
    "feedback-alignment", "direct-feedback-alignment", "{name: direct-feedback-alignment, signal: sign}",
    "drtp", "tpsgd", "{name: tpsgd, loss: l1}",
    "{name: drtp, gradient-noise: {scale: 1e-3}}",
    "{name: backpropagation, guidance: {model: {layers: [flatten, {linear: 9}, tanh, {linear: 10}]}}}",
    "greedy", "{name: dgl, head: linear}",
    "infopro",
    "{name: infopro, loss: contrast}",
    "man",
    "{name: man, host: infopro}",
  ]
  /// Rules that do not train batch normalisation, with another model.
  static let others: [(rule: String, model: String)] = [
    ("counter-current", CounterCurrentTests.perceptron), ("counter-current", CounterCurrentTests.convolutional),
    ("{name: counter-current, filter: 0.3}", CounterCurrentTests.convolutional),
  ]

  @Test("digests are equal for all rank counts", arguments: rules)
  func ranks(_ rule: String) throws {
    let alone = try LearningRun.train(rule)
    #expect(alone.loss?.isFinite == true)
    for ranks in [2, 3, 5] {
      #expect(try LearningRun.train(rule, ranks: ranks).parametersDigest == alone.parametersDigest)
    }
  }

  @Test("digests are equal for all rank counts with models of another kind", arguments: others)
  func ranks(_ rule: String, _ model: String) throws {
    let changes = [model, "training.clip=1"]
    let alone = try LearningRun.train(rule, changes)
    #expect(alone.loss?.isFinite == true)
    for ranks in [2, 3, 5] {
      #expect(try LearningRun.train(rule, ranks: ranks, changes).parametersDigest == alone.parametersDigest)
    }
  }

  @Test("no rule is another under a different name")
  func distinct() throws {
    let rules = RuleLaws.rules.filter { $0 != "{name: dgl, blocks: 1}" }
    let digests = try rules.map { try LearningRun.train($0).parametersDigest }
    #expect(Set(digests).count == digests.count)
  }

  @Test("one block is backpropagation")
  func oneBlock() throws {
    let one = try LearningRun.train("{name: dgl, blocks: 1}").parametersDigest
    #expect(try LearningRun.train("backpropagation").parametersDigest == one)
  }
}
