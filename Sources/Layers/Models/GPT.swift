import Configuration
import Tensors

/// A pre-norm decoder over tokens (Radford et al. 2019): learned positions, causal attention, tanh-GELU.
enum GPT {
  static let kind = ModelKind("gpt", "A pre-norm transformer decoder that predicts the next token.") {
    (options, input, classes, scope) throws(ConfigurationError) in
    let width = try options.integer("width", default: 128, in: 1...1 << 16, unit: "features", "features of a position")
    let heads = try options.integer("heads", default: 4, in: 1...1024, "attention heads, which divide the width")
    let depth = try options.integer("depth", default: 4, in: 1...1024, "blocks")
    let dropout = try options.number(
      "dropout", default: 0, in: .fractionBelowOne, "share of each path's output that is dropped in training")
    let context = try options.optionalInteger("context", in: 1...1 << 20, unit: "tokens", "tokens of a sample")
    guard input.vocabulary != nil, input.shape.rank == 1 else {
      throw ConfigurationError("needs tokens, such as `data: tinyshakespeare`, and gets \(input)")
    }
    if let context, context != input.shape[0] {
      throw options.error("\(options.keyPath).context is \(context), but samples have \(input)", key: "context")
    }
    try options.require(width % heads == 0, key: "heads", "\(heads) heads do not divide width \(width)")
    var stack = Stack(input)
    let embedding = try Embedding(input, width: width, positions: true, in: &scope)
    stack.append(embedding, name: "embedding")
    for index in 0..<depth {
      stack.append("blocks.\(index)", in: &scope) {
        DecoderBlock($0, heads: heads, dropout: Float(dropout), in: &$1)
      }
    }
    stack.append("norm", in: &scope) { LayerNorm($0, in: &$1) }
    stack.append("head", in: &scope) { LinearLayer($0, outputs: classes, bias: false, in: &$1) }
    return stack.sequential
  }
}

/// x + attention(norm(x)), then x + down(gelu(up(norm(x)))).
struct DecoderBlock: Layer {
  let output: Signal
  private let n1, n2: LayerNorm
  private let attention: Attention
  private let up, down: LinearLayer
  private let dropout: Dropout?
  var endsBlock: Bool { true }

  init(_ input: Signal, heads: Int, dropout: Float, in scope: inout ParameterScope) {
    let width = input.shape[-1]
    n1 = scope.nested("n1") { LayerNorm(input, in: &$0) }
    attention = Attention(input, heads: heads, causal: true, in: &scope)
    n2 = scope.nested("n2") { LayerNorm(input, in: &$0) }
    let wide = scope.nested("up") { LinearLayer(input, outputs: 4 * width, in: &$0) }
    up = wide
    down = scope.nested("down") { LinearLayer(wide.output, outputs: width, in: &$0) }
    self.dropout = dropout > 0 ? Dropout(input, probability: dropout) : nil
    output = input
  }

  /// A block of as many heads.
  func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    guard input == output else { throw ConfigurationError("a decoder block of \(output) gets \(input)") }
    return DecoderBlock(input, heads: attention.heads, dropout: dropout?.probability ?? 0, in: &scope)
  }

  func record(_ x: Value, _ recorder: Recorder) -> Value {
    func dropped(_ y: Value) -> Value { dropout?.record(y, recorder) ?? y }
    let h = recorder.add(x, dropped(attention.record(n1.record(x, recorder), recorder)))
    let inner = recorder.gelu(up.record(n2.record(h, recorder), recorder), approximation: .tanh)
    return recorder.add(h, dropped(down.record(inner, recorder)))
  }
}
