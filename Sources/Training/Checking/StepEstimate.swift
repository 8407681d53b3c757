import Datasets
import Layers
import Learning
import Optimizers
import Strategies
import Tensors

/// What a step of one rank will take, from the plan of its largest shard: nothing is computed.
public struct StepEstimate: Sendable {
  /// A layer of the model.
  public struct LayerRow: Sendable {
    /// Its name, as parameters carry it.
    public let name: String
    /// What it is: `convolution`.
    public let kind: String
    /// What it makes of a sample.
    public let output: Signal
    /// Its parameters.
    public let parameters: Int
    /// Floating-point operations a sample, forward and backward.
    public let flops: Int
  }

  /// The layers, first to last.
  public let layers: [LayerRow]
  /// Floating-point operations a sample, forward, backward and loss.
  public let flopsPerSample: Int
  /// Bytes of activations and scratch memory, for all threads.
  public let activationBytes: Int
  /// Bytes of parameters and states, of replicas too.
  public let parameterBytes: Int
  /// Bytes of gradient blocks: the sums of shards that a rank holds at once.
  public let gradientBytes: Int
  /// Bytes that the update rule remembers.
  public let optimizerBytes: Int

  /// All of it.
  public var bytes: Int { activationBytes + parameterBytes + gradientBytes + optimizerBytes }

  /// Records and plans the step of an experiment on so many ranks.
  public init(_ prepared: PreparedExperiment, ranks: Int = 1) throws(RunError) {
    let experiment = prepared.experiment
    let shards: Int
    do { shards = try experiment.shards(ranks: ranks) } catch { throw RunError(error) }
    let model = prepared.model
    let layout = model.layout
    let sampler = Sampler(
      count: prepared.dataset.training.count, batch: experiment.training.batch, shards: shards, seed: nil)
    let samples = max(1, sampler.largestShard)
    let recorder = Recorder(batch: samples, mode: .training, layout: layout, compute: prepared.compute)
    experiment.learning.record(model, prepared.objective, recorder)
    let plan = Plan(recorder)
    let threads = experiment.compute.threads
    let steps = plan.profileSteps
    func isWithin(_ name: String, _ layer: String) -> Bool { name == layer || name.hasPrefix(layer + ".") }
    layers = model.layers.map { named in
      LayerRow(
        name: named.name, kind: named.layer.kind, output: named.layer.output,
        parameters: layout.parameters.filter { isWithin($0.name, named.name) }.reduce(0) { $0 + $1.range.count },
        flops: steps.filter { isWithin($0.scope, named.name) }.reduce(0) { $0 + $1.flops } / samples)
    }
    flopsPerSample = plan.flops / samples
    // Where shards meet, all of a rank are under way at once.
    let together = plan.meetings.isEmpty ? 0 : (shards + ranks - 1) / ranks
    activationBytes = plan.poolBytes * max(threads, together)
    // Models of their own for the shards of a rank, beside the one that is kept.
    let replicas = experiment.strategy() is any ReplicaStrategy ? (shards + ranks - 1) / ranks : 0
    parameterBytes = 4 * layout.gradientCount * (1 + replicas)
    // A worker sums its shards in a tree: one block a level, and one for the next leaf.
    let perThread = max(1, (shards / ranks + threads - 1) / threads)
    let levels = perThread == 1 ? 1 : Int.bitWidth - (perThread - 1).leadingZeroBitCount + 1
    let blocks = together == 0 ? levels * threads : together * (experiment.training.accumulate > 1 ? 2 : 1)
    gradientBytes = 4 * layout.gradientCount * (replicas == 0 ? blocks : replicas)
    optimizerBytes = experiment.optimizer.make(layout: layout).stateBytes * max(1, replicas)
  }
}
