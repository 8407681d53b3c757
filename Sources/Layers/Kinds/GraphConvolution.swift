import Configuration
import Tensors

/// A graph convolution (Kipf and Welling 2017, equation 2): D^−½ (A + I) D^−½ X Wᵀ + b, `[nodes, inputs] → [nodes, outputs]`.
///
/// Without `normalise` the plain sum (A + I) X Wᵀ + b; PyTorch Geometric leaves out I then.
public struct GraphConvolution: Layer {
  /// `[outputs, inputs]`, Glorot's.
  public let weight: Parameter
  /// `[outputs]`, zeros.
  public let bias: Parameter?
  /// The input with its last extent replaced.
  public let output: Signal
  let graph: Graph
  let weights: Storage
  let normalises: Bool

  /// Declares PyTorch Geometric's `lin.weight`, and `bias` where wanted.
  public init(
    _ input: Signal, _ graph: Graph, outputs: Int, normalise: Bool = true, bias hasBias: Bool = true,
    in scope: inout ParameterScope
  ) {
    let inputs = input.shape[-1]
    weight = scope.nested("lin") { $0.parameter("weight", [outputs, inputs], .glorot(outputs, inputs)) }
    bias = hasBias ? scope.parameter("bias", [outputs], .constant(0)) : nil
    output = input.with(features: outputs)
    self.graph = graph.withLoops()
    normalises = normalise
    weights = normalise ? self.graph.symmetricWeights() : self.graph.unitWeights()
  }

  /// The product first: what is summed over neighbours is mostly narrower than the input.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    let sums = recorder.neighbourSum(recorder.linear(x, recorder.parameter(weight)), graph, weights: weights)
    return bias.map { recorder.add(sums, toEachSample: recorder.parameter($0)) } ?? sums
  }

  /// Of the input's graph.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    let graph = try input.requireGraph(for: "graph-convolution")
    return GraphConvolution(
      input, graph, outputs: output.shape[-1], normalise: normalises, bias: bias != nil, in: &scope)
  }

  static let kind = LayerKind(
    "graph-convolution", shorthand: "outputs",
    "A mean of each node and its neighbours, weighted by degrees, times a matrix."
  ) {
    (options, input, scope) throws(ConfigurationError) in
    let outputs = try options.outputs()
    let normalise = try options.flag(
      "normalise", default: true, "whether neighbours are weighted by degrees, or plainly summed")
    let bias = try options.flag("bias", default: true, "whether a bias is added")
    let graph = try input.requireGraph(for: "graph-convolution")
    return GraphConvolution(input, graph, outputs: outputs, normalise: normalise, bias: bias, in: &scope)
  }
}

extension Options {
  /// The key `outputs` of layers that make so many features of every node.
  mutating func outputs() throws(ConfigurationError) -> Int {
    try integer("outputs", in: 1...1 << 24, unit: "features", "features that it makes of a node")
  }
}

extension Signal {
  /// The graph between the rows; throws where there is none.
  func requireGraph(for layer: String) throws(ConfigurationError) -> Graph {
    try requireNumbers(for: layer)
    guard let graph else {
      throw ConfigurationError(
        "\(layer) gets \(self) without a graph; it needs data that bring one, such as `data: cora`, and before it layers that "
          + "keep the nodes apart")
    }
    return graph
  }
}
