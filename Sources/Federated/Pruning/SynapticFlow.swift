import Configuration
import Layers
import Tensors

/// The scores of synaptic flow, |θ ∂R/∂θ| with R the sum of outputs of the network of absolute values on ones (Tanaka, Kunin,
/// Yamins, Ganguli, NeurIPS 2020, equation 4): how much of the flow from input to output passes a weight.  Needs no data.
///
/// Everything is Float64 in a path of its own: products of many layers leave the range of Float32, and a server and its clients
/// must come to the same mask.  Networks are chains of linear and convolution layers, pooling, batch normalisation, relu or elu
/// (identities where nothing is negative), dropout and flatten; others are refused.
/// Batch normalisation is evaluated with its running variance; its running mean, 0 at the start, is left out.
/// Memory is allocated in `init` alone.  Cost: three passes over one sample.
public final class SynapticFlow {
  private let layout: ParameterLayout
  private let steps: [FlowStep]
  /// The input and the output of each step.
  private var activations: [[Double]]
  private var gradients: [[Double]]
  /// |θ| of what is kept.
  private var magnitudes: [Double]
  private var derivatives: [Double]

  /// Throws, naming the layer, for a network that is no chain.
  public init(_ model: Model) throws(ConfigurationError) {
    layout = model.layout
    if model.input.vocabulary != nil { throw ConfigurationError("synflow needs a network of numbers, not of tokens") }
    var steps: [FlowStep] = []
    var shape = model.input.shape
    for named in model.layers {
      if let step = try FlowStep(named, input: shape) { steps.append(step) }
      shape = named.layer.output.shape
    }
    self.steps = steps
    let sizes = steps.map(\.inputCount) + [shape.count]
    activations = sizes.map { [Double](repeating: 1, count: $0) }
    gradients = sizes.map { [Double](repeating: 1, count: $0) }
    magnitudes = [Double](repeating: 0, count: layout.parameterCount)
    derivatives = magnitudes
  }

  /// Writes the scores of all parameters (0 for those never pruned) under a mask; returns R.
  @discardableResult
  public func score(
    _ store: ParameterStore, _ mask: PruningMask, into scores: UnsafeMutablePointer<Double>
  ) -> Double {
    precondition(store.layout.parameterCount == layout.parameterCount, "the store of another model")
    for i in magnitudes.indices {
      magnitudes[i] = mask[i] ? Double(abs(store.parameters.base[i])) : 0
      derivatives[i] = 0
    }
    for (index, step) in steps.enumerated() {
      step.forward(activations[index], magnitudes, store.states.base, into: &activations[index + 1])
    }
    for index in steps.indices.reversed() {
      steps[index].backward(
        activations[index], magnitudes, store.states.base, gradients[index + 1], input: &gradients[index],
        weights: &derivatives)
    }
    for i in magnitudes.indices { scores[i] = 0 }
    for range in mask.prunable { for i in range { scores[i] = magnitudes[i] * derivatives[i] } }
    return activations[steps.count].reduce(0, +)
  }

  /// The mask of a density after `steps` rounds of scoring and pruning; 100 is the paper's number.
  public func prune(
    _ store: ParameterStore, density: Double, steps: Int = 100
  ) throws(ConfigurationError) -> PruningMask {
    try Pruning.prune(layout, density: density, steps: steps) { (mask, scores) throws(ConfigurationError) in
      score(store, mask, into: scores)
    }
  }
}
