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
/// Cost: three passes over one sample.
public final class SynapticFlow {
  private let layout: ParameterLayout
  private let steps: [FlowStep]
  /// The input and the output of each step.
  private var activations: [[Double]]
  private var gradients: [[Double]]
  /// |θ| of what is kept, and ∂R/∂|θ|.
  private let magnitudes: UnsafeMutablePointer<Double>
  private let derivatives: UnsafeMutablePointer<Double>

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
    magnitudes = .allocate(capacity: layout.parameterCount)
    derivatives = .allocate(capacity: layout.parameterCount)
    magnitudes.initialize(repeating: 0, count: layout.parameterCount)
    derivatives.initialize(repeating: 0, count: layout.parameterCount)
  }

  deinit {
    magnitudes.deallocate()
    derivatives.deallocate()
  }

  /// Writes the scores of all parameters (0 for those never pruned) under a mask; returns R.
  @discardableResult
  public func score(
    _ store: ParameterStore, _ mask: PruningMask, into scores: UnsafeMutablePointer<Double>
  ) -> Double {
    precondition(store.layout.parameterCount == layout.parameterCount, "the store of another model")
    let (count, parameters) = (layout.parameterCount, store.parameters.base)
    let (magnitudes, derivatives) = (magnitudes, derivatives)
    for i in 0..<count { magnitudes[i] = mask[i] ? Double(abs(parameters[i])) : 0 }
    derivatives.update(repeating: 0, count: count)
    forEachMoved { place, index in magnitudes[place] = mask[index] ? Double(abs(parameters[index])) : 0 }
    for (index, step) in steps.enumerated() {
      step.forward(activations[index], magnitudes, store.states.base, into: &activations[index + 1])
    }
    for index in steps.indices.reversed() {
      steps[index].backward(
        activations[index], magnitudes, store.states.base, gradients[index + 1], input: &gradients[index],
        weights: derivatives)
    }
    scores.update(repeating: 0, count: count)
    for range in mask.prunable { for i in range { scores[i] = magnitudes[i] * derivatives[i] } }
    forEachMoved { place, index in scores[index] = magnitudes[place] * derivatives[place] }
    return activations[steps.count].reduce(0, +)
  }

  /// Scalars whose place here is not their index in the store.
  private func forEachMoved(_ body: (_ place: Int, _ index: Int) -> Void) {
    for case .some(let (range, rows, taps)) in steps.map(\.transposed) {
      for row in 0..<rows {
        for tap in 0..<taps { body(range.lowerBound + tap * rows + row, range.lowerBound + row * taps + tap) }
      }
    }
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
