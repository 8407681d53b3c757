import Configuration
import Layers
import Learning
import Tensors

/// One step of a learning rule on a small model and batch, run by itself so that every gradient can be looked at.
struct RuleRun {
  let layout: ParameterLayout
  /// Parameters and states that the step ran with.
  let store: ParameterStore
  private let gradients: Storage
  /// The sum of the reported loss.
  let loss: Double

  /// What a step works on.
  struct Batch {
    var input = Signal([4])
    var outputs = 3
    var count = 3
    var loss = Objective.Loss.crossEntropy
    var target: Shape = []

    /// Random samples, or tokens.
    var samples: [UInt32] {
      var random = RandomStream(seed: 5, .test)
      let scalars = count * input.shape.count
      guard let vocabulary = input.vocabulary else { return (0..<scalars).map { _ in random.normal().bitPattern } }
      return (0..<scalars).map { _ in UInt32(random.below(vocabulary)) }
    }

    /// Classes, or values of (0, 1).
    var targets: [UInt32] {
      var random = RandomStream(seed: 6, .test)
      let scalars = count * max(1, target.count)
      if loss == .crossEntropy { return (0..<scalars).map { _ in UInt32(random.below(outputs)) } }
      return (0..<scalars).map { _ in random.uniform().bitPattern }
    }

    /// One over the terms of the loss.
    var targetWeight: Float { 1 / Float(count * max(1, target.count)) }
  }

  /// A rule made for a model of the given layers.
  static func prepare(_ rule: String, _ layers: String, _ batch: Batch) throws -> any ModelLearning {
    var options = Options(try Node.parse("{model: {layers: \(layers)}, learning: \(rule)}", file: "rule.yaml"))
    let model = try ModelConfiguration(&options).build(input: batch.input, classes: batch.outputs).model
    return try LearningConfiguration(&options).prepare(model, Objective(batch.loss, target: batch.target))
  }

  /// Records and runs the step; `adjust` may change what is drawn from the seed.
  init(
    _ rule: String, _ layers: String, _ batch: Batch = Batch(), compute: Compute = Compute(),
    adjust: (ParameterStore) -> Void = { _ in }
  ) throws {
    let learning = try RuleRun.prepare(rule, layers, batch)
    self.init(
      learning, batch, [Programs.training(learning, compute, batch: batch.count)], adjust: adjust)
  }

  /// Runs the step as programs one after the other, each of which takes what the one before leaves.
  init(
    _ learning: any ModelLearning, _ batch: Batch, _ plans: [Plan], adjust: (ParameterStore) -> Void = { _ in }
  ) {
    let layout = learning.model.layout
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 3)
    adjust(store)
    let sum = Storage(zeros: layout.gradientCount)
    var (samples, targets) = (batch.samples, batch.targets)
    let keys = (0..<UInt64(batch.count)).map { $0 }
    var passed = Storage(zeros: 0)
    var loss = 0.0
    for plan in plans {
      let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
      let gradients = Storage(zeros: layout.gradientCount)
      for scalar in gradients.scalars.indices { gradients.base[scalar] = .nan }
      let outgoing = Storage(zeros: plan.outgoing.bytes / 4)
      keys.withUnsafeBufferPointer { keys in
        samples.withUnsafeMutableBytes { samples in
          targets.withUnsafeMutableBytes { targets in
            var inputs = Executor.Inputs(
              store: store, version: 0, gradients: gradients, samples: samples.baseAddress!,
              targets: targets.baseAddress!, sampleKeys: keys.baseAddress!)
            inputs.targetWeight = batch.targetWeight
            inputs.incoming = UnsafeMutableRawPointer(passed.base)
            inputs.outgoing = UnsafeMutableRawPointer(outgoing.base)
            executor.run(inputs)
          }
        }
      }
      passed = outgoing
      loss = executor.metric(0)
      // A program leaves alone what is not its own.
      for scalar in sum.scalars.indices where !gradients.base[scalar].isNaN {
        sum.base[scalar] += gradients.base[scalar]
      }
    }
    (self.layout, self.store, gradients, self.loss) = (layout, store, sum, loss)
  }

  /// The gradient of a parameter.
  func gradient(_ name: String) -> [Float] { Array(gradients.scalars[range(of: name)]) }

  /// The gradients of all parameters.
  var gradient: [Float] { Array(gradients.scalars[..<layout.parameterCount]) }

  /// The scalars of a parameter or state.
  func scalars(_ name: String) -> [Float] {
    if let state = layout.states.first(where: { $0.name == name }) { return Array(store.states.scalars[state.range]) }
    return Array(store.parameters.scalars[range(of: name)])
  }

  private func range(of name: String) -> Range<Int> {
    guard let parameter = layout.parameters.first(where: { $0.name == name }) else {
      preconditionFailure("no parameter \(name)")
    }
    return parameter.range
  }
}

/// ‖a − b‖ / ‖b‖.
func distance(_ a: [Float], _ b: [Double]) -> Double {
  precondition(a.count == b.count, "comparing \(a.count) scalars with \(b.count)")
  var difference = 0.0, size = 0.0
  for (x, y) in zip(a, b) {
    difference += (Double(x) - y) * (Double(x) - y)
    size += y * y
  }
  if difference.isNaN || size.isNaN { return .infinity }
  return size == 0 ? difference.squareRoot() : (difference / size).squareRoot()
}

/// ‖a − b‖ / ‖b‖.
func distance(_ a: [Float], _ b: [Float]) -> Double { distance(a, b.map(Double.init)) }
