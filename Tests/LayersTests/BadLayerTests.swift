import Configuration
import Layers
import Tensors
import Testing

@Suite("Layers that do not fit are refused, named with their place")
struct BadLayerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let yaml: String
    let input: Signal
    /// What the message must hold.
    let words: [String]
    var testDescription: String { yaml }

    init(_ yaml: String, _ input: Signal, _ words: String...) {
      self.yaml = yaml
      self.input = input
      self.words = words
    }
  }

  static let lists = [
    Case("[{convolution: {channels: 2, kernel: 9}}]", Sample.digits, "model.layers.0", "kernel 9", "8×8"),
    Case(
      "[relu, {convolution: {channels: 2, kernel: 3, dilation: 4}}]", Sample.digits, "model.layers.1", "dilation 4"),
    Case("[{convolution: {channels: 4, groups: 2}}]", Sample.cifar, "model.layers.0", "2 groups", "3 input channels"),
    Case("[{convolution: {channels: 4, groups: 3}}]", Sample.cifar, "model.layers.0", "3 groups", "4 output channels"),
    Case("[{convolution: {channels: 4, stride: 0}}]", Sample.cifar, "model.layers.0.convolution.stride", "0"),
    Case("[{convolution: {kernel: 3}}]", Sample.cifar, "model.layers.0.convolution.channels", "missing"),
    Case("[{convolution: {channels: four}}]", Sample.cifar, "model.layers.0.convolution.channels", "four"),
    Case("[convolution]", Sample.cifar, "model.layers.0.convolution.channels", "missing"),
    Case("[flatten, {convolution: {channels: 4}}]", Sample.cifar, "model.layers.1", "convolution", "images", "3072"),
    Case("[{max-pool: 9}]", Sample.digits, "model.layers.0", "max-pool", "9", "8×8"),
    Case("[{max-pool: 2}, {average-pool: 5}]", Sample.digits, "model.layers.1", "average-pool", "4×4"),
    Case("[{max-pool: {kernel: 2, padding: 2}}]", Sample.digits, "model.layers.0", "padding 2", "window 2"),
    Case("[max-pool]", Sample.digits, "model.layers.0.max-pool.kernel", "missing"),
    Case("[flatten, rows]", Sample.digits, "model.layers.1", "rows", "images"),
    Case("[flatten, global-average-pool]", Sample.digits, "model.layers.1", "global-average-pool", "images"),
    Case(
      "[flatten, {bilinear-resize: {height: 2, width: 2}}]", Sample.digits, "model.layers.1", "bilinear-resize",
      "images"),
    Case("[{adaptive-average-pool: {rows: 2}}]", Sample.digits, "model.layers.0", "columns", "missing"),
    Case("[{linear: 10}]", Sample.digits, "model.layers.0", "linear", "flatten"),
    Case("[{linear: 0}]", Sample.table, "model.layers.0.linear.outputs", "0"),
    Case("[{linear: 10}]", Sample.text, "model.layers.0", "linear", "embedding"),
    Case("[relu]", Sample.text, "model.layers.0", "relu", "embedding"),
    Case("[flatten]", Sample.text, "model.layers.0", "flatten", "embedding"),
    Case("[dropout]", Sample.text, "model.layers.0", "dropout", "embedding"),
    Case("[batch-norm]", Sample.text, "model.layers.0", "batch-norm", "embedding"),
    Case("[layer-norm]", Sample.text, "model.layers.0", "layer-norm", "embedding"),
    Case("[{group-norm: 1}]", Sample.text, "model.layers.0", "group-norm", "embedding"),
    Case("[{convolution: {channels: 4}}]", Sample.text, "model.layers.0", "convolution", "embedding"),
    Case("[l2-norm]", Sample.text, "model.layers.0", "l2-norm", "embedding"),
    Case("[{sage: 4}]", Sample.text, "model.layers.0", "sage", "embedding"),
    Case(
      "[{graph-convolution: 4}]", Sample.series, "model.layers.0", "graph-convolution gets 6×5 without a graph",
      "data: cora"),
    Case("[relu, flatten, {sage: 4}]", Sample.graph, "model.layers.2", "sage gets 30 without a graph"),
    Case("[{graph-attention: {outputs: 4, heads: 0}}]", Sample.graph, "model.layers.0.graph-attention.heads", "0"),
    Case("[{graph-attention: {outputs: 4, dropout: 1}}]", Sample.graph, "model.layers.0.graph-attention.dropout"),
    Case("[{l2-norm: {epsilon: 0}}]", Sample.table, "model.layers.0.l2-norm.epsilon"),
    Case("[{recurrent: 4}]", Sample.text, "model.layers.0", "recurrent", "embedding"),
    Case("[{attention: 1}]", Sample.text, "model.layers.0", "attention", "embedding"),
    Case("[{parallel: [[], []]}]", Sample.text, "model.layers.0", "parallel", "embedding"),
    Case("[{embedding: 8}]", Sample.table, "model.layers.0", "embedding", "tokens", "20"),
    Case("[{embedding: 8}, {embedding: 8}]", Sample.text, "model.layers.1", "embedding", "tokens"),
    Case("[{group-norm: 2}]", Sample.cifar, "model.layers.0", "group-norm", "2 groups", "3 channels"),
    Case("[{attention: 2}]", Sample.series, "model.layers.0", "2 heads", "width 5"),
    Case("[{attention: 2}]", Sample.table, "model.layers.0", "time × width"),
    Case("[{recurrent: 2}]", Sample.cifar, "model.layers.0", "time × features"),
    Case("[{recurrent: {hidden: 2, cell: lsdm}}]", Sample.series, "model.layers.0.recurrent.cell", "lsdm", "lstm"),
    Case("[{dropout: 1}]", Sample.table, "model.layers.0.dropout.probability", "1"),
    Case("[{dropout: -0.1}]", Sample.table, "model.layers.0.dropout.probability", "-0.1"),
    Case("[{residual: [{linear: 4}]}]", Sample.table, "model.layers.0", "residual", "4", "20", "shortcut"),
    Case(
      "[{residual: {layers: [{linear: 4}], shortcut: [{linear: 5}]}}]", Sample.table, "model.layers.0", "4", "5"),
    Case("[residual]", Sample.table, "model.layers.0.residual.layers", "missing"),
    Case(
      "[relu, {residual: [relu, {linear: 4, bios: true}]}]", Sample.table, "model.layers.1.residual.layers.1"),
    Case(
      "[relu, {residual: [relu, {linear: {outputs: 20, bios: true}}]}]", Sample.table,
      "model.layers.1.residual.layers.1.linear", "bios", "did you mean `bias`"),
    Case(
      "[{residual: [{parallel: [[relu], [{max-pool: 2}]]}]}]", Sample.table,
      "model.layers.0.residual.layers.0.parallel.branches.1.0", "max-pool", "images"),
    Case("[{parallel: [[flatten], []]}]", Sample.digits, "model.layers.0", "parallel", "64", "8×8×1"),
    Case("[{parallel: [relu, tanh]}]", Sample.table, "model.layers.0.parallel.branches.0", "list"),
    Case("[parallel]", Sample.table, "model.layers.0.parallel.branches", "missing"),
    Case("[{linaer: 4}]", Sample.table, "model.layers.0", "linaer", "did you mean `linear`"),
    Case("[relu, whatever]", Sample.table, "model.layers.1", "whatever", "convolution", "linear"),
    Case("[{relu: 3}]", Sample.table, "model.layers.0.relu", "takes no value"),
    Case("[{relu: {slope: 3}}]", Sample.table, "model.layers.0.relu", "slope"),
    Case("[{linear: 4, relu: {}}]", Sample.table, "model.layers.0", "no layer"),
    Case("[[relu]]", Sample.table, "model.layers.0", "no layer"),
    Case("[]", Sample.table, "model.layers", "empty"),
  ]

  @Test("in a list", arguments: lists)
  func list(_ example: Case) throws {
    let message = try #require(try refusal("model: \(example.yaml)", for: example.input), "it was built")
    #expect(message.hasPrefix("test.yaml:1: "), "\(message)")
    #expect(!message.contains("\n"))
    for word in example.words { #expect(message.contains(word), "\(message) lacks \(word)") }
  }

  static let models = [
    Case("mpl", Sample.table, "model is `mpl`", "did you mean `mlp`"),
    Case("{name: transformer}", Sample.table, "transformer", "no model", "gpt", "resnet20"),
    Case("{name: mlp, width: [4]}", Sample.table, "unknown key `width`", "widths"),
    Case("{name: mlp, widths: 4.5}", Sample.table, "model.widths", "4.5"),
    Case("{name: mlp, widths: [0]}", Sample.table, "model.widths", "0"),
    Case("{name: mlp, dropout: 1}", Sample.table, "model.dropout", "1"),
    Case("mlp", Sample.text, "mlp", "embedding"),
    Case("cnn", Sample.table, "cnn", "images", "20"),
    Case("cnn", Sample.text, "cnn", "embedding"),
    Case("{name: cnn, channels: [4, 4, 4, 4]}", Sample.digits, "cnn", "max-pool", "1×1"),
    Case("vgg11", Sample.mnist, "vgg11", "max-pool", "1×1"),
    Case("resnet20", Sample.table, "resnet20", "images"),
    Case("gpt", Sample.digits, "gpt", "tokens", "tinyshakespeare"),
    Case("{name: gpt, heads: 3}", Sample.text, "3 heads", "128"),
    Case("{name: gpt, context: 32}", Sample.text, "model.context", "32", "64"),
    Case("{layers: relu}", Sample.table, "model.layers", "list"),
    Case("{depth: 3}", Sample.table, "no model"),
    Case("3", Sample.table, "`3`", "no model"),
  ]

  @Test("in a named model", arguments: models)
  func named(_ example: Case) throws {
    let message = try #require(try refusal("model: \(example.yaml)", for: example.input), "it was built")
    #expect(message.hasPrefix("test.yaml:1: "), "\(message)")
    for word in example.words { #expect(message.contains(word), "\(message) lacks \(word)") }
  }

  @Test("with the line they stand on")
  func line() throws {
    let yaml = """
      model:
        layers:
          - relu
          - convolution:
              channels: 3
              kernel: 40
      """
    let message = try #require(try refusal(yaml, for: Sample.cifar))
    #expect(message.hasPrefix("test.yaml:4: ") || message.hasPrefix("test.yaml:5: "), "\(message)")
    #expect(message.contains("model.layers.1"))
  }

  @Test("a missing model lists what there is")
  func missing() throws {
    let message = try #require(try refusal("{}", for: Sample.table))
    #expect(message.contains("model is missing") && message.contains("resnet20"))
  }
}
