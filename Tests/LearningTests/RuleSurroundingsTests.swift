import Configuration
import Layers
import Learning
import Strategies
import Testing
import Training

/// Rules with strategies, targets and checks that their papers do not speak of.
@Suite("Learning rules in other surroundings")
struct RuleSurroundingsTests {
  static let replicaStrategies = StrategyCatalog.all.compactMap { ($0 as? any ReplicaStrategy.Type)?.name }
  /// States that follow parameters, and such as stay as drawn.
  static let stateful = ["man", "drtp", "tpsgd", "direct-feedback-alignment", "feedback-alignment"]

  @Test("workers of their own may have states that follow or stay", arguments: replicaStrategies, stateful)
  func replicas(_ strategy: String, _ rule: String) throws {
    let changes = ["strategy=\(strategy)", "training.steps=9"]
    let alone = try LearningRun.train(rule, changes)
    #expect(alone.loss?.isFinite == true)
    #expect(try LearningRun.train(rule, ranks: 3, changes).parametersDigest == alone.parametersDigest)
  }

  @Test("every strategy in which workers have weights of their own is tried")
  func strategies() { #expect(RuleSurroundingsTests.replicaStrategies.count >= 6) }

  @Test(
    "nodes without class teach nothing", arguments: ["drtp", "tpsgd", "{name: tpsgd, loss: l1}"])
  func unlabelled(_ rule: String) throws {
    let folder = try GraphFolder(nodes: 24)
    let prepared = try LearningRun.prepare(rule, yaml: folder.yaml)
    let alone = try LearningRun.train(rule, yaml: folder.yaml)
    #expect(alone.loss?.isFinite == true && prepared.model.input.graph != nil)
    for _ in 0..<3 {
      #expect(try LearningRun.train(rule, yaml: folder.yaml).parametersDigest == alone.parametersDigest)
    }
  }

  static let autoencoders = [
    "{name: autoencoder, widths: [16, 8]}", "{name: autoencoder, channels: [4, 8], widths: []}",
  ]

  @Test(
    "local losses of values are of all values of a sample",
    arguments: ["greedy", "dgl", "{name: dgl, head: linear}", "infopro", "auglocal", "man"], autoencoders)
  func values(_ rule: String, _ model: String) throws {
    let changes = ["model=\(model)", "data.targets=inputs"]
    let alone = try LearningRun.train(rule, changes)
    #expect(alone.loss?.isFinite == true)
    #expect(try LearningRun.train(rule, ranks: 2, changes).parametersDigest == alone.parametersDigest)
  }

  @Test("counter-current learning of values says which loss it takes")
  func counterCurrent() throws {
    let changes = ["model=\(Self.autoencoders[0])", "data.targets=inputs", "training.loss=binary-cross-entropy"]
    let error = #expect(throws: RunError.self) { try LearningRun.prepare("counter-current", changes) }
    #expect(error?.message.contains("choose mean-squared-error") == true, "\(error?.message ?? "")")
  }

  @Test("auglocal goes as deep as the model lets it")
  func depth() throws {
    let model = "model={layers: [flatten, {linear: 9}, relu, {linear: 8}, relu, {linear: 10}]}"
    let digest = try LearningRun.train("{name: auglocal, depth: 1}", [model]).parametersDigest
    #expect(try LearningRun.train("auglocal", [model]).parametersDigest == digest)
  }

  @Test(
    "the layers of a model are checked, whatever a rule makes of it",
    arguments: [("noprop", "tanh"), ("man", "tanh"), ("forward-forward", "relu")])
  func check(_ rule: String, _ activation: String) throws {
    let hidden = [12, 11, 9].map { "{linear: \($0)}, \(activation)" }.joined(separator: ", ")
    let model = "model={layers: [flatten, \(hidden), {linear: 10}]}"
    let prepared = try LearningRun.prepare(rule, [model])
    let findings = try GradientCheck(prepared.trainable, samples: 8).run()
    #expect(findings.count == 8)
    for finding in findings { #expect(finding.error <= GradientCheck.tolerance && finding.norm > 0, "\(finding)") }
  }

  @Test("an eight-layer network of batch normalisation and relu has a gradient that differences agree with")
  func kinks() throws {
    let layers = [String](repeating: "{linear: {outputs: 64, bias: false}}, batch-norm, relu", count: 8)
    let prepared = try LearningRun.prepare(
      "backpropagation", ["model={layers: [flatten, \(layers.joined(separator: ", ")), {linear: 10}]}"])
    for finding in try GradientCheck(prepared.trainable, samples: 8).run() {
      #expect(finding.error <= GradientCheck.tolerance, "\(finding)")
    }
  }
}
