import Configuration
import Datasets
import Foundation
import Layers
import Learning
import Optimizers
import Tensors
import Testing
import Training

/// Twenty steps of training that PyTorch made (`Tests/Fixtures/README.md`), and the same steps made here.
struct Trace {
  struct Description: Decodable {
    struct Parameter: Decodable {
      struct Error: Decodable {
        let `default`: Double
        let channelsLast: Double
      }
      let name: String
      let shape: [Int]
      let bound: Float?
      let constant: Float?
      let float32Error: Error?
    }
    let batch: Int
    let sample: [Int]
    let classes: Int
    let steps: Int
    let tokens: Bool
    let float64Losses: [Double]
    let parameters: [Parameter]
  }

  let name: String
  let description: Description
  private let file: SafetensorsFile

  init(_ name: String) throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/traces.safetensors").path
    file = try SafetensorsFile.open(path)
    let text = try #require(file.metadata[name])
    self.name = name
    description = try JSONDecoder().decode(Description.self, from: Data(text.utf8))
  }

  /// An array of the fixture: `logits`, `losses/float32`, `gradients/0.weight`.
  func array(_ key: String) throws -> [Float] { try file.floats("\(name)/\(key)") }

  /// The shape of a sample here: channels last.
  var input: Signal {
    let sample = description.sample
    if description.tokens { return Signal(tokens: Shape(sample), vocabulary: description.classes) }
    return Signal([sample[1], sample[2], sample[0]])
  }

  /// Samples of a stream, written as the engine wants them.  The formula counts in the order sample, channel, row, column.
  func fill(_ target: Storage, _ stream: String, count: Int) {
    let stream = Stream(stream)
    let sample = description.sample
    if description.tokens {
      let tokens = UnsafeMutableRawPointer(target.base).assumingMemoryBound(to: Int32.self)
      for index in 0..<count * sample[0] { tokens[index] = stream.whole(index, below: description.classes) }
      return
    }
    let (channels, pixels) = (sample[0], sample[1] * sample[2])
    for n in 0..<count {
      for c in 0..<channels {
        for p in 0..<pixels {
          target.base[(n * pixels + p) * channels + c] = stream.symmetric(
            (n * channels + c) * pixels + p, bound: Float(3).squareRoot())
        }
      }
    }
  }

  /// What training here came to.
  struct Outcome {
    var losses: [Double] = []
    /// Gradients of the first step, by parameter.
    var gradients: [String: [Float]] = [:]
  }

  /// The model of a configuration with the trace's weights.
  func makeModel(_ yaml: String) throws -> (model: Model, store: ParameterStore) {
    var options = Options(try Node.parse(yaml, file: "trace"))
    let model = try ModelConfiguration(&options).build(input: input, classes: description.classes).model
    let store = ParameterStore(model.layout)
    model.layout.initialise(store, seed: 1)
    try #require(model.layout.parameters.map(\.name) == description.parameters.map(\.name))
    for (parameter, described) in zip(model.layout.parameters, description.parameters) {
      try #require(parameter.shape.dimensions == described.shape)
      let stream = Stream(parameter.name)
      for index in 0..<parameter.range.count {
        store.parameters.base[parameter.range.lowerBound + index] =
          described.constant ?? stream.symmetric(index, bound: described.bound ?? 0)
      }
    }
    return (model, store)
  }

  /// Trains `model: …` by `optimizer: …` as one shard.
  func train(_ model: String, _ optimizer: String, _ compute: Compute = Compute()) throws -> Outcome {
    let (model, store) = try makeModel(model)
    let layout = model.layout
    let target = Shape(description.tokens ? description.sample : [])
    let objective = Objective(.crossEntropy, target: target)
    var none = Options(try Node.parse("{}", file: "trace"))
    let recorder = Recorder(batch: description.batch, mode: .training, layout: layout, compute: compute)
    try LearningConfiguration(&none).prepare(model, objective).record(recorder, phase: 0)
    let plan = Plan(recorder)
    var options = Options(try Node.parse(optimizer, file: "trace"))
    let update = try OptimizerConfiguration(options: &options)
    let state = update.make(layout: layout)
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    let samples = Storage(zeros: description.batch * input.shape.count)
    let terms = description.batch * max(1, target.count)
    let classes = Storage(zeros: terms)
    let labels = UnsafeMutableRawPointer(classes.base).assumingMemoryBound(to: Int32.self)
    let gradients = Storage(zeros: layout.gradientCount)
    let keys = (0..<UInt64(description.batch)).map { $0 }
    var outcome = Outcome()
    for step in 0..<description.steps {
      fill(samples, "x/\(step)", count: description.batch)
      let stream = Stream("y/\(step)")
      for index in 0..<terms { labels[index] = stream.whole(index, below: description.classes) }
      keys.withUnsafeBufferPointer { keys in
        var inputs = Executor.Inputs(
          store: store, version: step, gradients: gradients, samples: UnsafeMutableRawPointer(samples.base),
          targets: UnsafeMutableRawPointer(classes.base), sampleKeys: keys.baseAddress!)
        inputs.targetWeight = 1 / Float(terms)
        executor.run(inputs)
      }
      outcome.losses.append(executor.metric(0) / Double(terms))
      if step == 0 {
        for parameter in layout.parameters {
          outcome.gradients[parameter.name] = Array(gradients.scalars[parameter.range])
        }
      }
      let all = 0..<layout.parameterCount
      state.measure(parameters: store.parameters.base, gradients: gradients.base, range: all, step: step)
      state.update(
        parameters: store.parameters.base, gradients: gradients.base, range: all, step: step,
        learningRate: update.learningRate(step: step, stepsPerEpoch: 20, totalSteps: 20))
      store.moveStates(gradients)
    }
    return outcome
  }

  /// Outputs for four samples in evaluation mode with the initial weights.
  func logits(_ model: String, _ compute: Compute = Compute()) throws -> [Float] {
    let (model, store) = try makeModel(model)
    let plan = Programs.inference(
      Backpropagation().prepare(model, Objective(.crossEntropy, target: [])), reportsLoss: false, compute, batch: 4)
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    let samples = Storage(zeros: 4 * input.shape.count)
    fill(samples, "x/evaluation", count: 4)
    let keys: [UInt64] = [0, 1, 2, 3]
    keys.withUnsafeBufferPointer { keys in
      executor.run(
        Executor.Inputs(
          store: store, version: 0, gradients: nil, samples: UnsafeMutableRawPointer(samples.base),
          targets: UnsafeMutableRawPointer(samples.base), sampleKeys: keys.baseAddress!))
    }
    return Array(executor.result(0))
  }
}

/// The largest relative distance of two lists of numbers.
func worstRelative(_ a: [Double], _ b: [Double]) -> Double {
  a.count == b.count ? zip(a, b).map { $0.isFinite ? abs($0 - $1) / abs($1) : .infinity }.max() ?? 0 : .infinity
}

/// The norm of the difference over the norm of `b`.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  if a.count != b.count { return .infinity }
  let difference = zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
  let norm = b.reduce(0.0) { $0 + Double($1) * Double($1) }
  return (difference / norm).squareRoot()
}
