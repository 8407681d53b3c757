import Configuration
import Layers
import Tensors

/// What samples of the tests look like.
enum Sample {
  static let digits = Signal([8, 8, 1])
  static let mnist = Signal([28, 28, 1])
  static let cifar = Signal([32, 32, 3])
  static let table = Signal([20])
  static let series = Signal([6, 5])
  /// Six nodes, one of which is isolated.
  static let graph = Signal(
    [6, 5],
    graph: Graph(
      nodes: 6,
      edges: [(0, 1), (1, 0), (1, 2), (2, 3), (3, 0), (0, 3)].map { Graph.Edge(from: $0.0, to: $0.1) }))
  static let text = Signal(tokens: [64], vocabulary: 65)
}

/// Builds the model of a configuration such as `model: mlp`.
func build(_ yaml: String, for input: Signal, classes: Int = 10) throws -> (model: Model, resolved: Node) {
  var options = Options(try Node.parse(yaml, file: "test.yaml"))
  let configuration = try ModelConfiguration(&options)
  try options.finish()
  return try configuration.build(input: input, classes: classes)
}

/// The message of the configuration error that building throws; nil when it builds.
func refusal(_ yaml: String, for input: Signal, classes: Int = 10) throws -> String? {
  do {
    _ = try build(yaml, for: input, classes: classes)
    return nil
  } catch let error as ConfigurationError {
    return error.description
  }
}

/// One training step of a model on two samples of ones (tokens: 0, 1, 2, …), with the sum of its outputs as the loss.
struct Trial {
  /// Shape of what was recorded, without the batch.
  let output: Shape
  /// Gradients of all parameters.
  let gradients: [Float]
  /// Outputs in evaluation mode.
  let outputs: [Float]

  init(_ model: Model) {
    let batch = 2
    let store = ParameterStore(model.layout)
    model.layout.initialise(store, seed: 3)
    let samples = Storage(zeros: batch * model.input.shape.count)
    if let vocabulary = model.input.vocabulary {
      let tokens = UnsafeMutableRawPointer(samples.base).assumingMemoryBound(to: Int32.self)
      for index in 0..<samples.count { tokens[index] = Int32(index % vocabulary) }
    } else {
      for index in 0..<samples.count { samples.base[index] = Float(index % 7) / 3 - 1 }
    }
    let targets = Storage(zeros: batch * model.output.shape.count)
    for index in 0..<targets.count { targets.base[index] = Float(index % 3) - 1 }
    let keys: [UInt64] = [5, 9]
    func run(_ plan: Plan, _ gradients: Storage?, _ read: (Executor) -> Void) {
      let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
      keys.withUnsafeBufferPointer { keys in
        executor.run(
          Executor.Inputs(
            store: store, version: 1, gradients: gradients, samples: UnsafeMutableRawPointer(samples.base),
            targets: UnsafeMutableRawPointer(targets.base), sampleKeys: keys.baseAddress!))
      }
      read(executor)
    }

    let training = Recorder(batch: batch, mode: .training, layout: model.layout, compute: Compute())
    let made = model.record(model.recordInput(training), training)
    output = training.shape(made).sample
    training.differentiate([Objective(.meanSquaredError, target: model.output.shape).record(made, training)])
    let block = Storage(zeros: model.layout.gradientCount)
    run(Plan(training), block) { _ in }
    gradients = Array(block.scalars.prefix(model.layout.parameterCount))

    let evaluation = Recorder(batch: batch, mode: .evaluation, layout: model.layout, compute: Compute())
    evaluation.result(model.record(model.recordInput(evaluation), evaluation))
    var values: [Float] = []
    run(Plan(evaluation), nil) { values = Array($0.result(0)) }
    outputs = values
  }
}
