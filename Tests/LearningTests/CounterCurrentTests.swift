import Communication
import Datasets
import Glibc
import Layers
import Learning
import Tensors
import Testing
import Training

@Suite("Counter-current learning")
struct CounterCurrentTests {
  /// Two hidden layers; the last batch is one shard.
  static let perceptron =
    "model={layers: [flatten, {linear: 7}, elu, {linear: {outputs: 6, bias: false}}, tanh, {linear: 10}]}"
  static let convolutional =
    "model={layers: [{convolution: {channels: 4, kernel: 3}}, elu, {max-pool: 2}, {convolution: {channels: 5, kernel: 3, padding: 1}}, {average-pool: 2}, elu, flatten, {linear: 10}]}"
  static let samples = 9

  /// The gradients of one batch, at weights that a test may change.
  struct Step {
    let prepared: PreparedExperiment
    let store: ParameterStore
    let batch: Batch
    let plan: Plan

    init(_ learning: String, _ changes: [String]) throws {
      prepared = try LearningRun.prepare(learning, changes)
      store = ParameterStore(prepared.model.layout)
      prepared.model.layout.initialise(store, seed: 5)
      batch = Batch(capacity: samples, of: prepared.dataset.training)
      batch.fill(from: prepared.dataset.training, samples: (0..<Int32(samples)).map { $0 }[...], epoch: 0)
      plan = Programs.training(prepared.learning, prepared.compute, batch: samples)
    }

    /// Gradients and sums; Σ of the metrics from `first` on is what local losses report.
    func run() -> (gradients: [Float], metrics: [Double]) {
      let gradients = Storage(zeros: plan.layout.gradientCount)
      let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
      var inputs = Executor.Inputs(
        store: store, version: 0, gradients: gradients, samples: batch.input, targets: batch.targets,
        sampleKeys: batch.sampleKeys)
      inputs.targetWeight = Float(1 / Double(samples * prepared.objective.targetsPerSample))
      executor.run(inputs)
      return (Array(gradients.scalars), (0..<plan.metricCount).map { executor.metric($0) })
    }

    func parameter(_ name: String) throws -> Parameter {
      try #require(prepared.model.layout.parameters.first { $0.name == name })
    }

    /// `[outputs, inputs]` in doubles.
    func weights(_ name: String) throws -> [[Double]] {
      let parameter = try parameter(name)
      let width = parameter.shape[-1]
      return (0..<parameter.shape[0]).map { row in
        (0..<width).map { Double(store.parameters.base[parameter.range.lowerBound + row * width + $0]) }
      }
    }

    func bias(_ name: String) throws -> [Double] {
      try parameter(name).range.map { Double(store.parameters.base[$0]) }
    }
  }

  // MARK: A reference in doubles

  static func elu(_ x: Double) -> Double { x > 0 ? x : exp(x) - 1 }

  static func map(_ x: [[Double]], _ w: [[Double]], _ bias: [Double] = []) -> [[Double]] {
    x.map { row in
      w.indices.map { o in zip(row, w[o]).reduce(bias.isEmpty ? 0 : bias[o]) { $0 + $1.0 * $1.1 } }
    }
  }

  /// What local losses and cross-entropy are for a perceptron: ℓ₀, ℓ₁, ℓ₂, and the cross-entropy.
  static func losses(
    _ x: [[Double]], _ labels: [Int], _ weights: [[[Double]]], _ biases: [[Double]], _ feedback: [[[Double]]],
    scale: Double
  ) -> [Double] {
    let first = map(x, weights[0], biases[0]).map { $0.map(elu) }
    let second = map(first, weights[1]).map { $0.map { tanh($0) } }
    let logits = map(second, weights[2], biases[2])
    let top = (0..<10).map { row in (0..<10).map { $0 == row ? 1.0 : 0 } }
    let c2 = map(top, feedback[2]).map { $0.map(elu) }
    let c1 = map(c2, feedback[1]).map { $0.map(elu) }
    let c0 = map(c1, feedback[0])
    let local = zip([x, first, second], [c0, c1, c2]).map { a, c in
      var sum = 0.0
      for (row, label) in zip(a, labels) {
        for (class_, features) in c.enumerated() {
          let product = zip(row, features).reduce(0) { $0 + $1.0 * $1.1 }
          sum += (product - (class_ == label ? 1 : 0)) * (product - (class_ == label ? 1 : 0))
        }
      }
      return scale * 256 / Double(a[0].count) * sum / Double(10 * a.count)
    }
    let entropy = zip(logits, labels).reduce(0.0) { sum, pair in
      sum + log(pair.0.reduce(0) { $0 + exp($1) }) - pair.0[pair.1]
    }
    return local + [entropy / Double(x.count)]
  }

  @Test("each loss moves one layer of the model and one of the feedback, by its own gradient")
  func gradients() throws {
    let step = try Step("{name: counter-current, scale: 0.3}", [Self.perceptron])
    let source = step.prepared.dataset.training
    let width = source.inputShape.count
    let x = (0..<Self.samples).map { sample in
      (0..<width).map { Double(step.batch.input.assumingMemoryBound(to: Float.self)[sample * width + $0]) }
    }
    let labels = (0..<Self.samples).map { Int(step.batch.targets.assumingMemoryBound(to: Int32.self)[$0]) }
    let names = ["1.weight", "3.weight", "5.weight"]
    let backward = (1...3).map { "auxiliary.feedback.\($0).weight" }
    var weights = try names.map(step.weights)
    var feedback = try backward.map(step.weights)
    let biases = [try step.bias("1.bias"), [], try step.bias("5.bias")]
    let run = step.run()

    func losses() -> [Double] { Self.losses(x, labels, weights, biases, feedback, scale: 0.3) }
    let expected = losses()
    #expect(abs(run.metrics[0] / Double(Self.samples) - expected[3]) < 1e-5)
    // ℓ_l belongs to F_l and G_{l+1}; cross-entropy to the last layer.
    func check(_ name: String, loss: Int, _ change: (Double, Int, Int) -> Void) throws {
      let parameter = try step.parameter(name)
      let columns = parameter.shape[-1]
      for place in [0, 3, parameter.shape.count / 2, parameter.shape.count - 1] {
        let (row, column) = (place / columns, place % columns)
        change(1e-5, row, column)
        let above = losses()[loss]
        change(-2e-5, row, column)
        let below = losses()[loss]
        change(1e-5, row, column)
        let difference = (above - below) / 2e-5
        let gradient = Double(run.gradients[parameter.range.lowerBound + place])
        #expect(abs(gradient - difference) < 2e-4 * max(0.05, abs(difference)), "\(name) \(place)")
      }
    }
    for layer in 0..<3 {
      try check(names[layer], loss: layer + 1) { weights[layer][$1][$2] += $0 }
      try check(backward[layer], loss: layer) { feedback[layer][$1][$2] += $0 }
    }
  }

  @Test("whoever shares no loss with a layer does not move it", arguments: [perceptron, convolutional])
  func locality(_ model: String) throws {
    let step = try Step("counter-current", [model])
    let before = step.run().gradients
    // The top feedback layer changes c below it: ℓ of the layers that see those, but not cross-entropy's.
    let top = try step.parameter("auxiliary.feedback.3.weight")
    for place in top.range { step.store.parameters.base[place] *= 1.5 }
    let after = step.run().gradients
    let last = model == Self.perceptron ? "5.weight" : "7.weight"
    let range = try step.parameter(last).range
    #expect(before[range].elementsEqual(after[range]))
    let first = try step.parameter(model == Self.perceptron ? "1.weight" : "0.weight").range
    #expect(!before[first].elementsEqual(after[first]))
    // Nothing of what the last layer is comes back.
    for place in range { step.store.parameters.base[place] *= 1.5 }
    let later = step.run().gradients
    for parameter in step.prepared.model.layout.parameters where !parameter.name.hasPrefix(last.prefix(2)) {
      #expect(later[parameter.range].elementsEqual(after[parameter.range]), "\(parameter.name)")
    }
    #expect(before.allSatisfy { $0.isFinite })
    for parameter in step.prepared.model.layout.parameters {
      #expect(before[parameter.range].contains { $0 != 0 }, "\(parameter.name)")
    }
  }

  @Test("samples that are learned are left to cross-entropy", arguments: [perceptron, convolutional])
  func filter(_ model: String) throws {
    let all = try Step("counter-current", [model]).run().gradients
    let none = try Step("{name: counter-current, filter: 0.999999}", [model]).run().gradients
    #expect(all == none)
    let step = try Step("{name: counter-current, filter: 0.0000001}", [model])
    let gradients = step.run().gradients
    for parameter in step.prepared.model.layout.parameters where parameter.name.hasPrefix("auxiliary.feedback.2") {
      // With convolutions, classes are still pushed apart.
      #expect(gradients[parameter.range].contains { $0 != 0 } == (model == Self.convolutional))
    }
  }

  @Test("each network's gradient is clipped by itself")
  func clipping() throws {
    let learning = try LearningRun.prepare("counter-current", [Self.perceptron]).learning
    let parts = learning.clippedParts
    #expect(parts.count == 2 && parts[0].upperBound == parts[1].lowerBound)
    #expect(parts[1].upperBound == learning.model.layout.parameterCount)
    let first = learning.model.layout.parameters.first { $0.range.lowerBound == parts[1].lowerBound }
    #expect(first?.name == "auxiliary.feedback.1.weight")
    let limited = [
      Self.perceptron, "training.clip=0.01", "optimizer={name: sgd, learning-rate: 1}", "training.steps=1",
    ]
    let prepared = try LearningRun.prepare("counter-current", limited)
    let start = ParameterStore(prepared.model.layout)
    prepared.model.layout.initialise(start, seed: prepared.experiment.seed)
    let moves = try InProcessCommunicator.run(ranks: 1) { communicator in
      let loop = try TrainingLoop(prepared, communicator)
      _ = try loop.run()
      return (0..<start.layout.parameterCount).map {
        Double(loop.store.parameters.base[$0] - start.parameters.base[$0])
      }
    }[0].get()
    for part in parts {
      #expect(abs(moves[part].reduce(0) { $0 + $1 * $1 }.squareRoot() - 0.01) < 1e-4)
    }
  }

  @Test(
    "an autoencoder's two halves meet, and it learns to reconstruct",
    arguments: ["{name: autoencoder, widths: [24, 12]}", "{name: autoencoder, channels: [6, 8]}"])
  func autoencoder(_ model: String) throws {
    let changes = [
      "model=\(model)", "data={name: digits, subset: 310, targets: inputs}", "training={steps: 60, batch: 31, clip: 1}",
      "optimizer={name: sgd, learning-rate: 0.2}",
    ]
    let little = try LearningRun.train("counter-current", changes + ["training.steps=1"])
    let much = try LearningRun.train("counter-current", changes)
    #expect(try #require(much.loss) < 0.9 * (try #require(little.loss)))
  }

  @Test("it learns digits")
  func learns() throws {
    let summary = try LearningRun.train(
      "counter-current",
      [
        "model={layers: [flatten, {linear: {outputs: 64, bias: false}}, elu, {linear: {outputs: 64, bias: false}}, elu, {linear: 10}]}",
        "data=digits", "training={epochs: 6, batch: 64, clip: 1}", "optimizer={name: sgd, learning-rate: 0.5}",
      ])
    #expect(try #require(summary.accuracy) > 0.8)
  }

  @Test("what cannot be mirrored is refused by name")
  func refusals() {
    func message(_ learning: String, _ changes: [String]) -> String {
      do {
        _ = try LearningRun.prepare(learning, changes)
        return "prepared"
      } catch { return "\(error)" }
    }
    let batchNorm = message("counter-current", [])
    #expect(batchNorm.contains("layer `1` (batch-norm)") && batchNorm.contains("feedback mirrors"))
    #expect(message("counter-current", ["model=resnet20"]).contains("rule counter-current cannot train layer `"))
    #expect(
      message(
        "counter-current", ["model={layers: [{convolution: {channels: 4, kernel: 2}}, elu, flatten, {linear: 10}]}"]
      ).contains("odd kernel"))
    #expect(
      message(
        "{name: counter-current, filter: 0.9}",
        ["model={name: autoencoder, widths: [12]}", "data={name: digits, targets: inputs}"]
      ).contains("learning.filter"))
    #expect(message("{name: counter-current, filter: 1}", [Self.perceptron]).contains("learning.filter"))
  }
}
