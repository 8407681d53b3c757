import Configuration
import Layers
import Tensors
import Testing

@Suite("Lists of layers")
struct LayerListTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let yaml: String
    let input: Signal
    let output: Shape
    /// Name and shape of each parameter, in order.
    let parameters: [String]
    var testDescription: String { yaml }

    init(_ yaml: String, _ input: Signal, _ output: Shape, _ parameters: [String] = []) {
      self.yaml = yaml
      self.input = input
      self.output = output
      self.parameters = parameters
    }
  }

  static let recurrent = ["0.weight_ih_l0 [28, 5]", "0.weight_hh_l0 [28, 7]", "0.bias_ih_l0 [28]", "0.bias_hh_l0 [28]"]
  static let cases = [
    Case("[{linear: 4}]", Sample.table, [4], ["0.weight [4, 20]", "0.bias [4]"]),
    Case("[{linear: {outputs: 4, bias: false}}]", Sample.series, [6, 4], ["0.weight [4, 5]"]),
    Case(
      "[{convolution: {channels: 6}}]", Sample.digits, [6, 6, 6], ["0.weight [6, 1, 3, 3]", "0.bias [6]"]),
    Case(
      "[{convolution: {channels: 6, kernel: 3, stride: 2, padding: 1, dilation: 2, groups: 3, bias: false}}]",
      Sample.cifar, [15, 15, 6], ["0.weight [6, 1, 3, 3]"]),
    Case(
      "[{convolution: {channels: 3, kernel: 8, groups: 1}}]", Sample.digits, [1, 1, 3],
      ["0.weight [3, 1, 8, 8]", "0.bias [3]"]),
    Case("[{max-pool: 2}]", Sample.digits, [4, 4, 1]),
    Case("[{max-pool: {kernel: 3, stride: 2, padding: 1}}]", Sample.digits, [4, 4, 1]),
    Case("[{average-pool: 2}]", Sample.cifar, [16, 16, 3]),
    Case(
      "[{average-pool: {kernel: 3, stride: 1, padding: 1, count-padding: false}}]", Sample.cifar, [32, 32, 3]),
    Case("[global-average-pool]", Sample.cifar, [3]),
    Case("[{adaptive-average-pool: {rows: 3, columns: 2}}]", Sample.cifar, [3, 2, 3]),
    Case("[{upsample: 2}]", Sample.digits, [16, 16, 1]),
    Case("[{bilinear-resize: {height: 11, width: 5}}]", Sample.digits, [11, 5, 1]),
    Case("[batch-norm]", Sample.cifar, [32, 32, 3], ["0.weight [3]", "0.bias [3]"]),
    Case("[{batch-norm: {epsilon: 1e-3, momentum: 0.5, affine: false}}]", Sample.table, [20]),
    Case("[layer-norm]", Sample.series, [6, 5], ["0.weight [5]", "0.bias [5]"]),
    Case("[{layer-norm: {epsilon: 1e-3, affine: false}}]", Sample.table, [20]),
    Case("[{group-norm: 3}]", Sample.cifar, [32, 32, 3], ["0.weight [3]", "0.bias [3]"]),
    Case("[{group-norm: {groups: 5, affine: false, epsilon: 1e-4}}]", Sample.table, [20]),
    Case("[{group-norm: 5}]", Sample.series, [6, 5], ["0.weight [5]", "0.bias [5]"]),
    Case("[l2-norm]", Sample.table, [20]),
    Case("[{l2-norm: {epsilon: 1e-3}}]", Sample.series, [6, 5]),
    Case("[dropout]", Sample.table, [20]),
    Case("[{dropout: 0.1}]", Sample.cifar, [32, 32, 3]),
    Case("[rows]", Sample.cifar, [32, 96]),
    Case("[flatten]", Sample.cifar, [3072]),
    Case("[flatten]", Sample.series, [30]),
    Case("[flatten]", Sample.table, [20]),
    Case("[{embedding: 3}]", Sample.text, [64, 3], ["0.weight [65, 3]"]),
    Case(
      "[{embedding: {width: 3, positions: true}}]", Sample.text, [64, 3],
      ["0.token.weight [65, 3]", "0.position.weight [64, 3]"]),
    Case(
      "[{attention: 5}]", Sample.series, [6, 5],
      ["0.qkv.weight [15, 5]", "0.qkv.bias [15]", "0.out.weight [5, 5]", "0.out.bias [5]"]),
    Case(
      "[{attention: {heads: 1, causal: true}}]", Sample.series, [6, 5],
      ["0.qkv.weight [15, 5]", "0.qkv.bias [15]", "0.out.weight [5, 5]", "0.out.bias [5]"]),
    Case("[{linear: 1}, {time-embedding: 6}]", Sample.table, [6], ["0.weight [1, 20]", "0.bias [1]"]),
    Case("[{recurrent: 7}]", Sample.series, [6, 7], recurrent),
    Case("[{recurrent: {hidden: 7, cell: lstm, last: true}}]", Sample.series, [7], recurrent),
    Case(
      "[{recurrent: {hidden: 2, cell: gru}}]", Sample.series, [6, 2],
      ["0.weight_ih_l0 [6, 5]", "0.weight_hh_l0 [6, 2]", "0.bias_ih_l0 [6]", "0.bias_hh_l0 [6]"]),
    Case(
      "[{recurrent: {hidden: 2, cell: tanh, last: true}}]", Sample.series, [2],
      ["0.weight_ih_l0 [2, 5]", "0.weight_hh_l0 [2, 2]", "0.bias_ih_l0 [2]", "0.bias_hh_l0 [2]"]),
    Case("[{graph-convolution: 4}]", Sample.graph, [6, 4], ["0.lin.weight [4, 5]", "0.bias [4]"]),
    Case(
      "[{graph-convolution: {outputs: 4, normalise: false, bias: false}}]", Sample.graph, [6, 4],
      ["0.lin.weight [4, 5]"]),
    Case(
      "[{sage: 4}]", Sample.graph, [6, 4], ["0.lin_l.weight [4, 5]", "0.lin_l.bias [4]", "0.lin_r.weight [4, 5]"]),
    Case(
      "[{sage: {outputs: 4, bias: false}}]", Sample.graph, [6, 4], ["0.lin_l.weight [4, 5]", "0.lin_r.weight [4, 5]"]),
    Case(
      "[{graph-attention: {outputs: 4, heads: 3}}]", Sample.graph, [6, 12],
      ["0.lin.weight [12, 5]", "0.att_src [1, 3, 4]", "0.att_dst [1, 3, 4]", "0.bias [12]"]),
    Case(
      "[{graph-attention: {outputs: 4, heads: 3, concatenate: false, dropout: 0.1, bias: false}}]", Sample.graph,
      [6, 4], ["0.lin.weight [12, 5]", "0.att_src [1, 3, 4]", "0.att_dst [1, 3, 4]"]),
    Case(
      "[{sage: 4}, silu, {residual: [{graph-convolution: {outputs: 4, bias: false}}]}, {parallel: [[], [{linear: 2}]]}, "
        + "{sage: {outputs: 3, bias: false}}]", Sample.graph, [6, 3],
      [
        "0.lin_l.weight [4, 5]", "0.lin_l.bias [4]", "0.lin_r.weight [4, 5]", "2.0.lin.weight [4, 4]",
        "3.1.0.weight [2, 4]", "3.1.0.bias [2]", "4.lin_l.weight [3, 6]", "4.lin_r.weight [3, 6]",
      ]),
    Case("[relu, {elu: {alpha: 0.5}}, elu, silu, tanh, sigmoid, gelu, {gelu: {form: erf}}]", Sample.table, [20]),
    Case(
      "[{residual: [{linear: 20}, relu]}]", Sample.table, [20], ["0.0.weight [20, 20]", "0.0.bias [20]"]),
    Case(
      "[{residual: {layers: [{linear: 7}], shortcut: [{linear: {outputs: 7, bias: false}}]}}]", Sample.table, [7],
      ["0.0.weight [7, 20]", "0.0.bias [7]", "0.shortcut.0.weight [7, 20]"]),
    Case(
      "[{parallel: [[{linear: 2}], [], [relu, {linear: 3}]]}]", Sample.table, [25],
      ["0.0.0.weight [2, 20]", "0.0.0.bias [2]", "0.2.1.weight [3, 20]", "0.2.1.bias [3]"]),
    Case(
      """
      [{convolution: {channels: 4, padding: 1}}, \
      {residual: [batch-norm, relu, \
      {parallel: [[{convolution: {channels: 2, kernel: 1}}], [{residual: [relu]}, {convolution: {channels: 2, padding: 1}}]]}]}, \
      global-average-pool, {linear: 10}]
      """, Sample.digits, [10],
      [
        "0.weight [4, 1, 3, 3]", "0.bias [4]", "1.0.weight [4]", "1.0.bias [4]", "1.2.0.0.weight [2, 4, 1, 1]",
        "1.2.0.0.bias [2]", "1.2.1.1.weight [2, 4, 3, 3]", "1.2.1.1.bias [2]", "3.weight [10, 4]", "3.bias [10]",
      ]),
  ]

  @Test("build, each parameter named by its place as in PyTorch's Sequential", arguments: cases)
  func build(_ example: Case) throws {
    for yaml in ["model: {layers: \(example.yaml)}", "model: \(example.yaml)"] {
      let (model, _) = try LayersTests.build(yaml, for: example.input)
      #expect(model.name == "layers")
      #expect(model.output.shape == example.output)
      #expect(model.layout.parameters.map { "\($0.name) \($0.shape)" } == example.parameters)
    }
  }

  @Test("train: what is recorded has the declared shape, and every gradient is finite and flows", arguments: cases)
  func train(_ example: Case) throws {
    let (model, _) = try LayersTests.build("model: \(example.yaml)", for: example.input)
    let trial = Trial(model)
    #expect(trial.output == model.output.shape)
    #expect(trial.outputs.count == 2 * model.output.shape.count)
    #expect(trial.outputs.allSatisfy { $0.isFinite })
    #expect(trial.gradients.allSatisfy { $0.isFinite })
    for parameter in model.layout.parameters {
      #expect(trial.gradients[parameter.range].contains { $0 != 0 }, "\(parameter.name)")
    }
  }

  @Test("come back the same from what they resolved to", arguments: cases)
  func again(_ example: Case) throws {
    let first = try LayersTests.build("model: \(example.yaml)", for: example.input)
    let text = Node.map(["model": first.resolved]).yaml()
    let second = try LayersTests.build(text, for: example.input)
    #expect(second.model.layout.parameters == first.model.layout.parameters)
    #expect(second.model.layout.states == first.model.layout.states)
    #expect(Node.map(["model": second.resolved]).yaml() == text)
    #expect(Trial(second.model).outputs == Trial(first.model).outputs)
  }

  @Test("make use of every kind of layer in these tests")
  func all() {
    let words = Set(
      Self.cases.flatMap { $0.yaml.split { !($0.isLetter || $0.isNumber || $0 == "-") }.map(String.init) })
    for kind in LayerCatalog.all { #expect(words.contains(kind.name), "no test builds \(kind.name)") }
  }
}
