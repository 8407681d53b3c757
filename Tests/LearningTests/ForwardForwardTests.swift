import Configuration
import Layers
import Learning
import Tensors
import Testing
import Training

@Suite("Forward-forward")
struct ForwardForwardTests {
  static let perceptron = ["model={name: mlp, widths: [40, 30, 20]}", "data.normalise=false"]
  static let images = [
    "model={layers: [{convolution: {channels: 6, kernel: 3}}, relu, {max-pool: 2}, {dropout: 0.1}, flatten, {linear: 17}, relu, {linear: 10}]}"
  ]
  static let rules = [
    "forward-forward", "{name: forward-forward, mode: unsupervised, blurs: 2}",
    "{name: forward-forward, blocks: 1, masked: true, peer-normalisation: 0.5}",
    "{name: forward-forward, predict: goodness, initialisation: model}",
  ]

  @Test("digests are equal for all rank counts, of rows and of images", arguments: rules, [perceptron, images])
  func ranks(_ rule: String, _ changes: [String]) throws {
    let alone = try LearningRun.train(rule, changes)
    #expect(alone.loss?.isFinite == true)
    for ranks in [2, 5] {
      #expect(try LearningRun.train(rule, ranks: ranks, changes).parametersDigest == alone.parametersDigest)
    }
  }

  @Test("stages on ranks learn what one rank learns", arguments: rules.prefix(2), [perceptron, images])
  func stages(_ rule: String, _ changes: [String]) throws {
    let alone = try LearningRun.train(rule, changes).parametersDigest
    #expect(try LearningRun.train(PipelineLaws.staged(rule, 2), ranks: 4, changes).parametersDigest == alone)
  }

  @Test("every option changes what is learned")
  func distinct() throws {
    let digests = try
      (Self.rules + ["{name: forward-forward, peer-normalisation: 0}", "{name: forward-forward, blocks: 2}"])
      .filter { !$0.contains("predict") }.map { try LearningRun.train($0, Self.perceptron).parametersDigest }
    #expect(Set(digests).count == digests.count)
    let (plain, masked) = (
      try LearningRun.train("forward-forward", Self.perceptron).parametersDigest,
      try LearningRun.train("{name: forward-forward, masked: true}", Self.perceptron).parametersDigest
    )
    #expect(plain != masked)
  }

  @Test("has the parameters of the blocks and a readout in place of the model's head")
  func parameters() throws {
    let learning = try LearningRun.prepare("forward-forward", Self.perceptron).learning
    let layout = learning.model.layout
    #expect(
      layout.parameters.map(\.name) == [
        "1.weight", "1.bias", "3.weight", "3.bias", "5.weight", "5.bias", "readout.weight",
      ])
    #expect(layout.parameters.last?.shape == [10, 50])
    #expect(layout.states.map(\.name) == ["auxiliary.0.mean", "auxiliary.1.mean", "auxiliary.2.mean"])
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 1)
    #expect(store.parameters.scalars[layout.parameters[6].range].allSatisfy { $0 == 0 })
    #expect(store.parameters.scalars[layout.parameters[1].range].allSatisfy { $0 == 0 })
    #expect(store.states.scalars.allSatisfy { $0 == 0.5 })
    let weights = store.parameters.scalars[layout.parameters[0].range]
    let square = weights.reduce(0) { $0 + $1 * $1 } / Float(weights.count)
    #expect(abs(square - 1 / 40) < 0.004)
  }

  @Test("a block alone computes what it computes within the whole, and passes on what the next one takes")
  func modules() throws {
    for changes in [Self.perceptron, Self.images] {
      for rule in Self.rules.prefix(2) {
        try ModuleChecks.expectModulesMakeTheWhole(try LearningRun.prepare(rule, changes))
      }
    }
  }

  @Test("gets digits right, by the readout and by trying labels")
  func learns() throws {
    let changes =
      Self.perceptron + [
        "training={epochs: 12, batch: 20, shards: 1}", "optimizer.learning-rate=5e-3", "data.subset=1200",
      ]
    for rule in ["forward-forward", "{name: forward-forward, predict: goodness}"] {
      let accuracy = try #require(try LearningRun.train(rule, changes).accuracy)
      #expect(accuracy > 0.75, "\(rule): \(accuracy)")
    }
    let hybrids = try #require(
      try LearningRun.train("{name: forward-forward, mode: unsupervised, blurs: 2}", changes).accuracy)
    #expect(hybrids > 0.75, "unsupervised: \(hybrids)")
  }

  @Test("refuses what it cannot train, naming layer and reason")
  func refusals() throws {
    func refusal(_ model: String, _ input: Signal, _ objective: Objective? = nil, rule: String = "") -> String? {
      Refusal.of(ForwardForward.self, rule, model, input, objective)
    }
    let row = Signal([20])
    let normed = refusal("[{linear: 8}, batch-norm, relu, {linear: 10}]", row)
    #expect(normed?.contains("layer `1` (batch-norm)") == true)
    #expect(refusal("[{linear: 8}, tanh, {linear: 10}]", row)?.contains("layer `1` (tanh)") == true)
    #expect(refusal("[relu, {linear: 8}, relu, {linear: 10}]", row)?.contains("layer `0` (relu)") == true)
    #expect(refusal("[{linear: 10}]", row)?.contains("no nonlinearity") == true)
    #expect(refusal("[{linear: 8}, relu, {linear: 10}]", Signal([9]))?.contains("a label of 10 scalars") == true)
    #expect(refusal("[{linear: 8}, relu, {linear: 10}]", Signal([9]), rule: "{mode: unsupervised}") == nil)
    let values = Objective(.meanSquaredError, target: [10])
    #expect(refusal("[{linear: 8}, relu, {linear: 10}]", row, values)?.contains("one class a sample") == true)
    #expect(
      refusal("[{embedding: 3}, flatten, {linear: 8}, relu, {linear: 10}]", Signal(tokens: [6], vocabulary: 5))?
        .contains("tokens") == true)
    #expect(refusal("[{linear: 8}, relu, {linear: 10}]", row, rule: "{blocks: 2}")?.contains("1 blocks") == true)
    let both = refusal("[{linear: 8}, relu, {linear: 10}]", row, rule: "{mode: unsupervised, predict: goodness}")
    #expect(both?.contains("learning.predict") == true)
  }
}
