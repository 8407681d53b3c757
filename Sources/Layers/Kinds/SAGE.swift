import Configuration
import Tensors

/// GraphSAGE with the mean aggregator (Hamilton, Ying, Leskovec 2017): W₁ mean(neighbours) + W₂ x + b,
/// `[nodes, inputs] → [nodes, outputs]`.  The mean over no neighbours is 0.
///
/// All neighbours are seen, not a sample of them.  Initial weights are those of PyTorch Geometric's `SAGEConv`, which are
/// PyTorch's of a linear layer; its formula, not the paper's concatenation, which is the same with W = [W₂, W₁].
public struct SAGE: Layer {
  /// `[outputs, inputs]`, of the mean over neighbours; uniform in ±1/√inputs.
  public let neighbourWeight: Parameter
  /// `[outputs]`, uniform in ±1/√inputs.
  public let bias: Parameter?
  /// `[outputs, inputs]`, of the node itself; uniform in ±1/√inputs.
  public let ownWeight: Parameter
  /// The input with its last extent replaced.
  public let output: Signal
  let graph: Graph
  let weights: Storage
  /// Its name in configurations.
  public var kind: String { "sage" }

  /// Declares PyTorch Geometric's `lin_l.weight`, `lin_l.bias` where wanted, and `lin_r.weight`.
  public init(
    _ input: Signal, _ graph: Graph, outputs: Int, bias hasBias: Bool = true, in scope: inout ParameterScope
  ) {
    let inputs = input.shape[-1]
    (neighbourWeight, bias) = scope.nested("lin_l") {
      (
        $0.parameter("weight", [outputs, inputs], .inputs(inputs)),
        hasBias ? $0.parameter("bias", [outputs], .inputs(inputs)) : nil
      )
    }
    ownWeight = scope.nested("lin_r") { $0.parameter("weight", [outputs, inputs], .inputs(inputs)) }
    output = input.with(features: outputs)
    self.graph = graph
    weights = graph.meanWeights()
  }

  /// The products first: what is summed over neighbours is mostly narrower than the input.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    let heard = recorder.linear(x, recorder.parameter(neighbourWeight))
    let own = recorder.linear(x, recorder.parameter(ownWeight), bias: bias.map(recorder.parameter))
    return recorder.add(own, recorder.neighbourSum(heard, graph, weights: weights))
  }

  /// Of the input's graph.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    let graph = try input.requireGraph(for: "sage")
    return SAGE(input, graph, outputs: output.shape[-1], bias: bias != nil, in: &scope)
  }

  static let kind = LayerKind(
    "sage", shorthand: "outputs", "A matrix times the mean of a node's neighbours, plus another times the node itself."
  ) {
    (options, input, scope) throws(ConfigurationError) in
    let outputs = try options.outputs()
    let bias = try options.flag("bias", default: true, "whether a bias is added")
    let graph = try input.requireGraph(for: "sage")
    return SAGE(input, graph, outputs: outputs, bias: bias, in: &scope)
  }
}
