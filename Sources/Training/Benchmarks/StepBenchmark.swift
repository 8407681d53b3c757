import Datasets
import Glibc
import Layers
import Learning
import Optimizers
import Tensors

/// Times whole training steps of one shard: forward, backward, update; data ready in memory.
public final class StepBenchmark {
  /// The model.
  public let model: Model
  /// Its program.
  public let plan: Plan
  private let store: ParameterStore
  private let gradients: Storage
  private let executor: Executor
  private let optimizer: Optimizer
  private let inputs: [(samples: Storage, targets: Storage)]
  private let keys: [UInt64]
  private let termsPerSample: Int
  private let batch: Int
  private var steps = 0

  /// A model with its objective on random data.
  public init(
    _ model: Model, _ objective: Objective, _ rule: any LearningRule, _ optimizer: OptimizerConfiguration,
    _ compute: Compute, batch: Int, classes: Int
  ) {
    self.model = model
    self.batch = batch
    termsPerSample = objective.termsPerSample
    let recorder = Recorder(batch: batch, mode: .training, layout: model.layout, compute: compute)
    rule.record(model, objective, recorder)
    plan = Plan(recorder)
    store = ParameterStore(model.layout)
    model.layout.initialise(store, seed: 1)
    gradients = Storage(zeros: model.layout.gradientCount)
    executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    self.optimizer = optimizer.make(layout: model.layout)
    keys = (0..<UInt64(batch)).map { $0 }
    var random = RandomStream(seed: 1, .test)
    inputs = (0..<4).map { _ in
      let samples = Storage(zeros: batch * model.input.shape.count)
      for i in 0..<samples.count {
        if let vocabulary = model.input.vocabulary {
          samples.base[i] = Float(bitPattern: UInt32(random.below(vocabulary)))
        } else {
          samples.base[i] = random.normal()
        }
      }
      let targets = Storage(zeros: batch * objective.termsPerSample)
      for i in 0..<targets.count {
        targets.base[i] =
          objective.loss == .crossEntropy ? Float(bitPattern: UInt32(random.below(classes))) : random.uniform()
      }
      return (samples, targets)
    }
  }

  /// One step; `seconds`, where given, gets the time of every instruction added, the update last.
  public func step(profile seconds: UnsafeMutablePointer<Double>? = nil) {
    let input = inputs[steps % inputs.count]
    keys.withUnsafeBufferPointer { keys in
      var run = Executor.Inputs(
        store: store, version: steps, gradients: gradients, samples: UnsafeMutableRawPointer(input.samples.base),
        targets: UnsafeMutableRawPointer(input.targets.base), sampleKeys: keys.baseAddress!)
      run.targetWeight = 1 / Float(batch * termsPerSample)
      if let seconds {
        var last = monotonicSeconds()
        executor.run(run) { done in
          let now = monotonicSeconds()
          seconds[done - 1] += now - last
          last = now
        }
      } else {
        executor.run(run)
      }
    }
    let start = monotonicSeconds()
    let whole = 0..<model.layout.parameterCount
    optimizer.measure(parameters: store.parameters.base, gradients: gradients.base, range: whole, step: steps)
    optimizer.update(
      parameters: store.parameters.base, gradients: gradients.base, range: whole, step: steps, learningRate: 1e-4)
    store.moveStates(gradients)
    seconds?[plan.stepCount] += monotonicSeconds() - start
    steps += 1
  }
}
