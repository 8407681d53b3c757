import Datasets
import Layers
import Learning
import Tensors

/// What a step computes, from the plan of its largest shard: nothing is computed.
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

  /// Records and plans the step of an experiment on so many ranks.
  public init(_ prepared: PreparedExperiment, ranks: Int = 1) throws(RunError) {
    self.init(prepared.trainable, samples: try BatchSchedule(prepared, ranks: ranks).sampler.largestShard)
  }

  /// Records and plans the step of so many samples.
  public init(_ prepared: TrainableModel, samples: Int) {
    let (model, layout) = (prepared.model, prepared.model.layout)
    let plan = Programs.training(prepared.learning, prepared.compute, batch: samples)
    let steps = plan.profileSteps
    func isWithin(_ name: String, _ layer: String) -> Bool { name == layer || name.hasPrefix(layer + ".") }
    layers = model.layers.map { named in
      LayerRow(
        name: named.name, kind: named.layer.kind, output: named.layer.output,
        parameters: layout.parameters.filter { isWithin($0.name, named.name) }.reduce(0) { $0 + $1.range.count },
        flops: steps.filter { isWithin($0.scope, named.name) }.reduce(0) { $0 + $1.flops } / samples)
    }
    flopsPerSample = plan.flops / samples
  }
}
