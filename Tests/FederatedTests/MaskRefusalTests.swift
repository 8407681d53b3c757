import Configuration
import Federated
import Testing

@Suite("Masks that cannot be are refused with a reason")
struct MaskRefusalTests {
  @Test(
    "before anything is trained, by the configuration",
    arguments: [
      ("{name: hidenseek, density: 0}", "federated.strategy.density is 0"),
      ("{name: hidenseek, density: 1.5}", "federated.strategy.density is 1.5"),
      ("{name: fedmask, density: 0}", "federated.strategy.density is 0"),
      ("{name: lotteryfl, density: 2}", "federated.strategy.density is 2"),
      ("{name: lotteryfl, prune: 1}", "federated.strategy.prune is 1"),
      ("{name: hidenseek, criterion: synflo}", "did you mean `synflow`?"),
      ("{name: hidenseek, criterion: {name: synflow, steps: 0}}", "federated.strategy.criterion.steps is 0"),
    ])
  func configuration(_ strategy: String, _ message: String) {
    let error = #expect(throws: ConfigurationError.self) { _ = try MaskTrial(strategy: strategy).prepared() }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  private func refusal(_ trial: MaskTrial) -> String {
    let error = #expect(throws: FederatedError.self) { _ = try trial() }
    #expect(error?.kind == .configuration)
    return error?.message ?? ""
  }

  @Test(
    "by optimizers with a memory where the change of latents is sent",
    arguments: [
      "{name: sgd, learning-rate: 0.3, momentum: 0.9}", "{name: sgd, learning-rate: 0.3, weight-decay: 0.1}", "adam",
    ])
  func optimizers(_ optimizer: String) throws {
    var trial = MaskTrial(strategy: "hidenseek", optimizer: optimizer)
    #expect(refusal(trial).contains("needs plain gradient descent"))
    trial.strategy = "{name: hidenseek, mode: votes}"
    _ = try trial()
  }

  @Test(
    "by scalars that are neither trained nor pruned",
    arguments: [
      ("{name: mlp, widths: [16]}", "`1.bias`"),
      ("{layers: [flatten, {linear: {outputs: 10, bias: false}}, {batch-norm: {affine: false}}]}", "`2.running_mean`"),
      ("{name: cnn, channels: [4], width: 8}", "`c1.bias`"),
    ], ["hidenseek", "fedmask"])
  func models(_ model: (text: String, name: String), _ strategy: String) {
    let message = refusal(MaskTrial(strategy: strategy, model: model.text))
    #expect(message.contains(model.name) && message.contains("bias: false"), "\(message)")
  }

  @Test("by layers that would lose all their weights, with their names")
  func collapse() {
    var trial = MaskTrial(strategy: "{name: hidenseek, density: 0.01, criterion: {name: synflow, steps: 1}}")
    trial.model = "{name: mlp, widths: [300, 100], bias: false}"
    #expect(refusal(trial).contains("leaves no weight of `1.weight`, `3.weight` (layer collapse)"))
  }

  @Test("by networks that synaptic flow cannot follow")
  func flow() {
    var trial = MaskTrial(strategy: "hidenseek")
    trial.model =
      "{layers: [flatten, {linear: {outputs: 10, bias: false}}, sigmoid, {linear: {outputs: 10, bias: false}}]}"
    #expect(refusal(trial).contains("layer `2` is `sigmoid`"))
  }

  @Test("LotteryFL without an accuracy")
  func accuracy() {
    let trial = MaskTrial(strategy: "lotteryfl", training: "{loss: mean-squared-error}")
    #expect(throws: (any Error).self) { _ = try trial() }
  }

  @Test(
    "Convolutions are masked too",
    arguments: [
      ("hidenseek", "{name: sgd, learning-rate: 4}"), ("fedmask", "{name: adam, learning-rate: 0.5}"),
      ("{name: lotteryfl, threshold: 0}", "{name: sgd, learning-rate: 0.1}"),
    ])
  func convolutions(_ strategy: String, _ optimizer: String) throws {
    let model = "{name: cnn, channels: [4, 6], width: 8, bias: false}"
    let outcome = try MaskTrial(strategy: strategy, model: model, optimizer: optimizer)()
    let hasMoved = outcome.models[3] != outcome.models[0]
    #expect(hasMoved && outcome.records.allSatisfy { $0.updates == 5 })
  }
}
