import Datasets
import Layers
import Tensors

/// The gradient of the mean loss over a few samples that the server is given: ten of each class, drawn by the seed, or a hundred
/// where targets are no classes.  What data-dependent pruning looks at.
final class SampleGradient {
  private let executor: Executor
  private let batch: Batch
  private let seed: UInt64
  private let weight: Float
  private var version = 0

  /// The loss of outputs times a factor.
  init(_ task: FederatedTask, outputScale: Float = 1) {
    let source = task.training
    seed = task.seed
    let classes = source.targetShape.count == 1 ? source.classCount : nil
    var left = [Int](repeating: classes == nil ? 100 : 10, count: classes ?? 1)
    var stream = RandomStream(seed: task.seed, .selection, epoch: 1, layer: NoiseStream.pruning)
    var samples: [Int32] = []
    for sample in stream.permutation(source.count) {
      let kind = classes == nil ? 0 : source.label(Int(sample)) ?? 0
      if left[kind] == 0 { continue }
      left[kind] -= 1
      samples.append(sample)
    }
    batch = Batch(capacity: samples.count, of: source)
    batch.fill(from: source, samples: samples[...], epoch: 0)
    weight = Float(1 / Double(samples.count * task.training.termsPerSample))
    let recorder = Recorder(batch: samples.count, mode: .training, layout: task.layout, compute: task.compute)
    var outputs = task.model.record(task.model.recordInput(recorder), recorder)
    if outputScale != 1 { outputs = recorder.scale(outputs, by: outputScale) }
    let loss = task.objective.record(outputs, recorder)
    recorder.fuse()
    recorder.differentiate([loss])
    let plan = Plan(recorder)
    executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
  }

  /// gradient ← that at the parameters of a store.
  func compute(_ store: ParameterStore, into gradient: Storage) {
    version += 1
    var inputs = Executor.Inputs(
      store: store, version: version, gradients: gradient, samples: batch.input, targets: batch.targets,
      sampleKeys: UnsafePointer(batch.sampleKeys))
    inputs.seed = seed
    inputs.targetWeight = weight
    executor.run(inputs)
  }
}
