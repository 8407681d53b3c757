import Configuration
import Tensors

/// Multi-head self-attention (Vaswani et al. 2017): `[time, width] → [time, width]`.
public struct Attention: Layer {
  /// The input's shape.
  public let output: Signal
  let project: LinearLayer
  let combine: LinearLayer
  let heads: Int
  let isCausal: Bool

  /// Declares the projections to queries, keys and values (`qkv`, packed) and back (`out`), under these names.
  public init(
    _ input: Signal, heads: Int, causal: Bool, projectName: String = "qkv", combineName: String = "out",
    in scope: inout ParameterScope
  ) {
    let width = input.shape[-1]
    precondition(width % heads == 0, "\(heads) heads of width \(width)")
    project = scope.nested(projectName) { LinearLayer(input, outputs: 3 * width, in: &$0) }
    combine = scope.nested(combineName) { LinearLayer(input, outputs: width, in: &$0) }
    self.heads = heads
    isCausal = causal
    output = input
  }

  /// Two products around the attention.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    let packed = project.record(x, recorder)
    return combine.record(recorder.attention(packed, heads: heads, causal: isCausal), recorder)
  }

  /// As many heads, which must divide the width.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    guard input.vocabulary == nil, input.shape.rank == 2, input.shape[-1] % heads == 0 else {
      throw ConfigurationError("attention: \(heads) heads do not fit \(input)")
    }
    return Attention(input, heads: heads, causal: isCausal, in: &scope)
  }

  static let kind = LayerKind("attention", shorthand: "heads", "Multi-head self-attention over time.") {
    (options, input, scope) throws(ConfigurationError) in
    try input.requireNumbers(for: "attention")
    let heads = try options.integer("heads", in: 1...4096, "heads, which divide the width")
    let causal = try options.flag("causal", default: false, "whether a position sees only earlier ones and itself")
    guard input.shape.rank == 2 else {
      throw ConfigurationError("attention needs time × width and gets \(input)")
    }
    guard input.shape[-1] % heads == 0 else {
      throw options.error("attention: \(heads) heads do not divide width \(input.shape[-1])", key: "heads")
    }
    return Attention(input, heads: heads, causal: causal, in: &scope)
  }
}
