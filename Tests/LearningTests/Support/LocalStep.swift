import Configuration
import Datasets
import Layers
import Learning
import Tensors
import Training

/// The gradients of one batch by a rule, at weights that a test may change.
final class LocalStep {
  let learning: any ModelLearning
  let store: ParameterStore
  private let compute: Compute
  private let batch: Batch
  private var version = 0

  /// Three blocks: one of images, two of rows, the last with dropout.
  static let model =
    "model={layers: [{convolution: {channels: 6, kernel: 3}}, batch-norm, relu, {max-pool: 2}, flatten, {linear: 17}, relu, "
    + "{dropout: 0.2}, {linear: 13}, relu, {linear: 10}]}"

  /// The first samples of the digits, and the initial weights.
  init(
    _ rule: String, _ changes: [String] = [model], samples: Int = 13, yaml: String = LearningRun.yaml
  ) throws {
    let prepared = try LearningRun.prepare(rule, changes, yaml: yaml)
    learning = prepared.learning
    compute = prepared.compute
    store = ParameterStore(learning.model.layout)
    learning.model.layout.initialise(store, seed: 3)
    batch = Batch(capacity: samples, of: prepared.dataset.training)
    batch.fill(from: prepared.dataset.training, samples: (0..<Int32(samples)).map { $0 }[...], epoch: 0)
  }

  var modular: any ModularLearning {
    guard let modular = learning as? any ModularLearning else { preconditionFailure("the rule has no modules") }
    return modular
  }

  /// Runs a program; its gradients, of which those that nobody wrote are NaN, and its sums.
  func run(
    _ plan: Plan, incoming: UnsafeMutableRawPointer? = nil, outgoing: UnsafeMutableRawPointer? = nil
  ) -> (gradients: [Float], metrics: [Double]) {
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    let gradients = Storage(zeros: plan.layout.gradientCount)
    for index in 0..<gradients.count { gradients.base[index] = .nan }
    version += 1
    var inputs = Executor.Inputs(
      store: store, version: version, gradients: gradients, samples: batch.input, targets: batch.targets,
      sampleKeys: batch.sampleKeys)
    inputs.targetWeight = 1 / Float(batch.count)
    (inputs.incoming, inputs.outgoing) = (incoming, outgoing)
    executor.run(inputs)
    return (Array(gradients.scalars), (0..<plan.metricCount).map { executor.metric($0) })
  }

  func plan(phase: Int = 0) -> Plan { Programs.training(learning, compute, batch: batch.count, phase: phase) }

  func plan(modules: Range<Int>) -> Plan {
    Programs.training(modular, modules: modules, compute, batch: batch.count)
  }

  /// The parameters that a module owns.
  func parameters(of module: Int) -> [Parameter] {
    learning.model.layout.parameters.filter { modular.modules[module].owns($0.name) }
  }
}
