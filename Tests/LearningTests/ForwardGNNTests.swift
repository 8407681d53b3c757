import Communication
import Configuration
import Foundation
import Layers
import Learning
import Tensors
import Testing
import Training

@Suite("Forward learning of graph networks")
struct ForwardGNNTests {
  static let modes = ["single-forward", "label-appending", "virtual-nodes", "top-down"]

  static func rule(_ mode: String) -> String { "{name: forward-gnn, mode: \(mode)}" }

  /// Dense arithmetic of the rule on a small graph.
  struct Dense {
    let folder: GraphFolder
    let step: LocalStep
    var nodes: Int { folder.classes.count }

    /// relu(D^−½ (A + I) D^−½ X Wᵀ + b) of the layers up to one, rows of length 1 before each.
    func activities(_ x: [[Double]], edges: [(Int, Int)], upTo layer: Int) -> [[[Double]]] {
      var neighbours = x.indices.map { Set([$0]) }
      for (from, to) in edges {
        neighbours[from].insert(to)
        neighbours[to].insert(from)
      }
      var made: [[[Double]]] = []
      for index in 0...layer {
        let entering = (made.last ?? x).map { row in
          let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
          return row.map { length > 0 ? $0 / length : 0 }
        }
        let (weight, bias) = (scalars("\(2 * index).lin.weight"), scalars("\(2 * index).bias"))
        made.append(
          x.indices.map { node in
            bias.indices.map { unit in
              var sum = bias[unit]
              let width = entering[0].count
              for other in neighbours[node] {
                let share = 1 / Double(neighbours[node].count * neighbours[other].count).squareRoot()
                for i in 0..<width { sum += share * entering[other][i] * weight[unit * width + i] }
              }
              return max(0, sum)
            }
          })
      }
      return made
    }

    func scalars(_ name: String) -> [Double] {
      let layout = step.store.layout
      if let state = layout.states.first(where: { $0.name == name }) {
        return state.range.map { Double(step.store.states.base[$0]) }
      }
      return layout.parameters.first { $0.name == name }?.range.map { Double(step.store.parameters.base[$0]) } ?? []
    }

    /// The features with those of the virtual nodes, and edges to these by class.
    var virtual: (x: [[Double]], edges: [(Int, Int)]) {
      let features = scalars("auxiliary.virtual")
      let rows = (0..<3).map { Array(features[$0 * 4..<($0 + 1) * 4]) }
      return (folder.features + rows, folder.edges + folder.training.map { ($0, nodes + folder.classes[$0]) })
    }

    /// Softmax of the products with what is made of the virtual nodes.
    func shares(_ made: [[Double]], _ node: Int, temperature: Double) -> [Double] {
      let powers = (0..<3).map { label in
        let product = zip(made[node], made[nodes + label]).reduce(0.0) { $0 + $1.0 * $1.1 }
        return exp(product / temperature)
      }
      let total = powers.reduce(0, +)
      return powers.map { $0 / total }
    }
  }

  static func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-5 * max(1, abs(b)) }

  @Test("a block learns from cross entropy of likeness to virtual nodes, means predict", arguments: [1, 0.5])
  func singleForward(_ temperature: Double) throws {
    let folder = try GraphFolder(nodes: 9)
    let step = try LocalStep(
      "{name: forward-gnn, temperature: \(temperature)}", [], samples: 1, yaml: folder.yaml)
    let dense = Dense(folder: folder, step: step)
    let (x, edges) = dense.virtual
    let made = dense.activities(x, edges: edges, upTo: 1)
    for phase in 0..<2 {
      let loss = folder.training.reduce(0.0) { sum, node in
        sum - log(dense.shares(made[phase], node, temperature: temperature)[folder.classes[node]])
      }
      #expect(Self.close(step.run(step.plan(phase: phase)).metrics[0], loss))
    }
    var ensemble = 0.0
    for node in folder.training {
      let shares = made.map { dense.shares($0, node, temperature: temperature)[folder.classes[node]] }
      ensemble -= log((shares[0] + shares[1]) / 2)
    }
    let plan = Programs.inference(step.learning, reportsLoss: true, Compute(), batch: 1)
    #expect(Self.close(step.run(plan).metrics[0], ensemble))
  }

  @Test("top-down, a block learns from the mean of its activities and those above")
  func topDown() throws {
    let folder = try GraphFolder(nodes: 9)
    let step = try LocalStep(Self.rule("top-down"), [], samples: 1, yaml: folder.yaml)
    let dense = Dense(folder: folder, step: step)
    let (x, edges) = dense.virtual
    let made = dense.activities(x, edges: edges, upTo: 1)
    let mean = zip(made[0], made[1]).map { below, above in zip(below, above).map { ($0 + $1) / 2 } }
    let losses = [made[1], mean].map { rows in
      folder.training.reduce(0.0) { sum, node in
        sum - log(dense.shares(rows, node, temperature: 1)[folder.classes[node]])
      }
    }
    let metrics = step.run(step.plan()).metrics
    #expect(Self.close(metrics[0], losses[0]) && Self.close(metrics[2], losses[1]))
  }

  @Test("labels are appended, and wrong ones count as negatives")
  func labelAppending() throws {
    let folder = try GraphFolder(nodes: 9)
    let step = try LocalStep(
      "{name: forward-gnn, mode: label-appending, threshold: 0.5}", [], samples: 1, yaml: folder.yaml)
    let dense = Dense(folder: folder, step: step)
    for phase in 0..<2 {
      var loss = 0.0
      for distance in 0..<3 {
        let x = folder.features.enumerated().map { node, features in
          let label = (folder.classes[node] + distance) % 3
          let isTold = folder.training.contains(node)
          return features + (0..<3).map { (place: Int) -> Double in isTold ? (place == label ? 1 : 0) : 1 / 3 }
        }
        let made = dense.activities(x, edges: folder.edges, upTo: phase)[phase]
        for node in folder.training {
          let logit = made[node].reduce(0.0) { $0 + $1 * $1 } - 0.5
          loss += distance == 0 ? log(1 + exp(-logit)) : log(1 + exp(logit)) / 2
        }
      }
      #expect(Self.close(step.run(step.plan(phase: phase)).metrics[0], loss))
    }
  }

  @Test("wrong virtual nodes count as negatives")
  func virtualNodes() throws {
    let folder = try GraphFolder(nodes: 9)
    let step = try LocalStep(Self.rule("virtual-nodes"), [], samples: 1, yaml: folder.yaml)
    let dense = Dense(folder: folder, step: step)
    var loss = 0.0
    for distance in 0..<3 {
      let told = folder.training.map { ($0, dense.nodes + (folder.classes[$0] + distance) % 3) }
      let made = dense.activities(dense.virtual.x, edges: folder.edges + told, upTo: 1)[1]
      for node in folder.training {
        let logit = made[node].reduce(0.0) { $0 + $1 * $1 } - 2
        loss += distance == 0 ? log(1 + exp(-logit)) : log(1 + exp(logit)) / 2
      }
    }
    #expect(Self.close(step.run(step.plan(phase: 1)).metrics[0], loss))
  }

  @Test("gradients match differences of the loss", arguments: modes.filter { $0 != "top-down" }, [0, 1])
  func gradients(_ mode: String, _ phase: Int) throws {
    let folder = try GraphFolder(nodes: 9)
    let step = try LocalStep(Self.rule(mode), [], samples: 1, yaml: folder.yaml)
    let gradient = step.run(step.plan(phase: phase)).gradients
    for parameter in step.store.layout.parameters {
      let isPhase = parameter.name.hasPrefix("\(2 * phase).")
      let own = parameter.range.map { Double(gradient[$0]) }
      #expect(own.contains { $0 != 0 } == isPhase, "\(parameter.name)")
      guard isPhase else { continue }
      let length = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let original = parameter.range.map { step.store.parameters.base[$0] }
      func moved(_ distance: Double) -> Double {
        for (index, scalar) in parameter.range.enumerated() {
          step.store.parameters.base[scalar] = original[index] + Float(distance * own[index] / length)
        }
        return step.run(step.plan(phase: phase)).metrics[0]
      }
      let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3
      for (old, scalar) in zip(original, parameter.range) { step.store.parameters.base[scalar] = old }
      #expect(abs(slope - length) < 0.03 * length + 2e-4, "\(parameter.name): \(slope) by differences, \(length)")
    }
  }

  /// A run's store when it has ended.
  static func store(_ mode: String, _ folder: GraphFolder, _ changes: [String] = []) throws -> ParameterStore {
    let loop = try TrainingLoop(
      try LearningRun.prepare(rule(mode), changes, yaml: folder.yaml), InProcessCommunicator.alone())
    _ = try loop.run()
    return loop.store
  }

  @Test("a block stays as it was when its phase was over", arguments: modes.filter { $0 != "top-down" })
  func freezing(_ mode: String) throws {
    let folder = try GraphFolder(nodes: 18)
    let both = try Self.store(mode, folder)
    let first = try Self.store(
      mode, folder, ["training.steps=6", "model={layers: [{graph-convolution: 8}, relu, {linear: 3}]}"])
    let start = ParameterStore(both.layout)
    both.layout.initialise(start, seed: 11)
    #expect(both.layout.parameters.map(\.name).allSatisfy { $0.hasPrefix("0.") || $0.hasPrefix("2.") })
    #expect(both.layout.states == first.layout.states)
    for parameter in both.layout.parameters {
      let now = parameter.range.map { both.parameters.base[$0] }
      #expect(now != parameter.range.map { start.parameters.base[$0] }, "\(parameter.name) never learned")
      guard parameter.name.hasPrefix("0.") else { continue }
      #expect(now == parameter.range.map { first.parameters.base[$0] }, "\(parameter.name)")
    }
    for state in both.layout.states {
      #expect(state.range.allSatisfy { both.states.base[$0] == start.states.base[$0] }, "\(state.name)")
    }
  }

  @Test("runs repeat, and modes differ")
  func repeats() throws {
    let folder = try GraphFolder(nodes: 18)
    let digests = try (0..<2).map { _ in
      try Self.modes.map { try LearningRun.train(Self.rule($0), yaml: folder.yaml).parametersDigest }
    }
    #expect(digests[0] == digests[1])
    #expect(Set(digests[0]).count == Self.modes.count)
  }

  @Test("nodes that do not train are told apart", arguments: modes, ["graph-convolution", "sage", "graph-attention"])
  func learns(_ mode: String, _ layer: String) throws {
    let folder = try GraphFolder(nodes: 36)
    let model = "model={layers: [{\(layer): 64}, relu, {\(layer): 64}, relu, {linear: 3}]}"
    let summary = try LearningRun.train(Self.rule(mode), [model, "training.steps=200"], yaml: folder.yaml)
    // Chance is a third.
    #expect(try #require(summary.accuracy) > 0.6)
  }

  struct Refused: Sendable {
    let layers: String
    let words: [String]
    var mode = "single-forward"
  }

  @Test(
    "models and data that do not fit are refused, with the reason",
    arguments: [
      Refused(layers: "[{linear: 4}, relu, {graph-convolution: 4}, relu, {linear: 3}]", words: ["`0` to `1`", "sage"]),
      Refused(layers: "[{graph-convolution: 4}, tanh, {linear: 3}]", words: ["`1`", "tanh", "relu"]),
      Refused(layers: "[{graph-convolution: 4}, layer-norm, relu, {linear: 3}]", words: ["`1`", "layer-norm"]),
      Refused(layers: "[{graph-convolution: 3}]", words: ["no nonlinearity"]),
      Refused(
        layers: "[{sage: 4}, relu, {sage: 5}, relu, {linear: 3}]", words: ["top-down", "[4, 5]"], mode: "top-down"),
    ])
  func refuses(_ example: Refused) throws {
    let folder = try GraphFolder(nodes: 9)
    let error = #expect(throws: (any Error).self) {
      try LearningRun.prepare(Self.rule(example.mode), ["model={layers: \(example.layers)}"], yaml: folder.yaml)
    }
    let message = error.map { "\($0)" } ?? ""
    for word in example.words { #expect(message.contains(word), "\(message)") }
  }

  @Test("data without a graph are refused, and unknown modes")
  func refusesData() throws {
    let error = #expect(throws: (any Error).self) { try LearningRun.prepare("forward-gnn") }
    #expect(error.map { "\($0)".contains("one graph") } == true)
    let blind = #expect(throws: ConfigurationError.self) {
      try RuleWithoutData.prepare("forward-gnn", "{name: mlp}", input: Signal([8]))
    }
    #expect(blind?.message.contains("data") == true)
    let unknown = #expect(throws: ConfigurationError.self) {
      try LearningRun.prepare("{name: forward-gnn, mode: backward}")
    }
    #expect(unknown?.message.contains("learning.mode") == true)
    #expect(throws: ConfigurationError.self) { try LearningRun.prepare("{name: forward-gnn, temperature: 0}") }
  }
}
