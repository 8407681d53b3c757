import Configuration
import Tensors

/// Graph attention (Veličković et al. 2018): every node takes the mean of W x over its neighbours and itself, each weighted by
/// a softmax of leaky relu (slope 0.2) of a₁ · W x of the neighbour + a₂ · W x of its own, for each head.
///
/// `[nodes, inputs] → [nodes, heads · outputs]`, or the mean over heads, `[nodes, outputs]`; then a bias is added.
public struct GraphAttention: Layer {
  /// `[heads · outputs, inputs]`, Glorot's.
  public let weight: Parameter
  /// a₁, `[1, heads, outputs]`, Glorot's.
  public let sourceVectors: Parameter
  /// a₂, `[1, heads, outputs]`, Glorot's.
  public let targetVectors: Parameter
  /// One number a feature of the result, zeros.
  public let bias: Parameter?
  /// The input with its last extent replaced.
  public let output: Signal
  let graph: Graph
  let heads: Int
  let concatenates: Bool
  let dropout: Float

  /// Declares PyTorch Geometric's `lin.weight`, `att_src`, `att_dst`, and `bias` where wanted.
  public init(
    _ input: Signal, _ graph: Graph, outputs: Int, heads: Int, concatenates: Bool = true, dropout: Float = 0,
    bias hasBias: Bool = true, in scope: inout ParameterScope
  ) {
    let (inputs, made) = (input.shape[-1], concatenates ? heads * outputs : outputs)
    weight = scope.nested("lin") {
      $0.parameter("weight", [heads * outputs, inputs], .glorot(heads * outputs, inputs))
    }
    sourceVectors = scope.parameter("att_src", [1, heads, outputs], .glorot(heads, outputs))
    targetVectors = scope.parameter("att_dst", [1, heads, outputs], .glorot(heads, outputs))
    bias = hasBias ? scope.parameter("bias", [made], .constant(0)) : nil
    output = input.with(features: made)
    self.graph = graph.withLoops()
    self.heads = heads
    self.concatenates = concatenates
    self.dropout = dropout
  }

  /// Scores of nodes, their softmax along edges, and sums by it.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    let features = recorder.linear(x, recorder.parameter(weight))
    let attention = recorder.edgeSoftmax(
      source: recorder.headProducts(features, recorder.parameter(sourceVectors), heads: heads),
      target: recorder.headProducts(features, recorder.parameter(targetVectors), heads: heads), graph)
    let kept = dropout > 0 ? recorder.dropout(attention, probability: dropout) : attention
    var sums = recorder.neighbourSum(features, graph, weights: kept)
    if !concatenates, heads > 1 {
      // The mean over heads as one over the pixels of a column.
      let shape = recorder.shape(sums)
      let rows = recorder.reshape(sums, [shape.count / shape[-1], heads, 1, shape[-1] / heads])
      sums = recorder.reshape(
        recorder.globalAveragePool(rows), Shape(shape.dimensions.dropLast() + [shape[-1] / heads]))
    }
    return bias.map { recorder.add(sums, toEachSample: recorder.parameter($0)) } ?? sums
  }

  /// Of the input's graph.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    let graph = try input.requireGraph(for: "graph-attention")
    return GraphAttention(
      input, graph, outputs: sourceVectors.shape[-1], heads: heads, concatenates: concatenates, dropout: dropout,
      bias: bias != nil, in: &scope)
  }

  static let kind = LayerKind(
    "graph-attention", shorthand: "outputs", "A mean of each node and its neighbours by learned weights, for each head."
  ) {
    (options, input, scope) throws(ConfigurationError) in
    let outputs = try options.integer(
      "outputs", in: 1...1 << 20, unit: "features", "features that a head makes of a node")
    let heads = try options.integer("heads", default: 1, in: 1...4096, "heads, each with weights of its own")
    let concatenate = try options.flag(
      "concatenate", default: true, "whether the heads' features lie side by side, or their mean is taken")
    let dropout = try options.number(
      "dropout", default: 0, in: .fractionBelowOne, "share of the attention weights that is dropped in training")
    let bias = try options.flag("bias", default: true, "whether a bias is added")
    let graph = try input.requireGraph(for: "graph-attention")
    return GraphAttention(
      input, graph, outputs: outputs, heads: heads, concatenates: concatenate, dropout: Float(dropout), bias: bias,
      in: &scope)
  }
}
