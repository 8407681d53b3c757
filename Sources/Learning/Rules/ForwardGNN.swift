import Configuration
import Datasets
import Layers
import Tensors

/// Forward-forward learning of graph networks (Park, Jung, Kumar, Bhattacharya, Dernoncourt, Kang 2024): the blocks of graph layers
/// up to their relu learn the classes of nodes, and no gradient passes a block.  Rows of what enters a block are divided by
/// their length.  What follows the last relu neither learns nor predicts: parameters are those of the blocks alone.
///
/// Modes, C the number of classes:
/// - `single-forward`: C virtual nodes (`auxiliary.virtual`, N(0, 1) features, which stay) are neighbours of the nodes that train,
///   each of those of its class.  A block learns from the cross entropy of H H_vᵀ / `temperature`, the products of what it
///   makes of nodes and of virtual nodes; prediction is the mean of the blocks' softmaxes.
/// - `label-appending`: the class, one-hot, is appended to the features of the nodes that train, equal shares to those of
///   others.  A block learns from binary cross entropy of Σ h² − `threshold`: positive as it is, negative with wrong classes;
///   prediction tries each class on all other nodes and sums the blocks' mean h².
/// - `virtual-nodes`: the same, the classes told by edges to virtual nodes.
/// - `top-down`: single-forward, but all blocks learn at once, each from the mean of its H and of those of all blocks above, which
///   are constants (the authors' variant by loss).
///
/// Blocks learn one after the other but in `top-down`, each an equal share of the steps; those before are as in evaluation.
/// Until a block's share begins, it predicts with initial weights.  The program runs a block's layers once a step (and those
/// before), or C times where classes are contrasted; C times also for predictions there.
///
/// What differs from the authors' code:
/// - They give each layer up to 1,000 epochs, stop it by patience and restore its best state; here shares are fixed.
/// - `label-appending` and `virtual-nodes` move all nodes that train to the class 1, 2, … C − 1 after their own, one negative graph
///   each, in place of draws.
/// - `top-down` takes states of this step in place of the last one's, predicts with one pass as `single-forward` does in place of
///   10 steps, and clips nothing by itself.
/// - The nodes that train keep their classes while a class is tried, so predictions of them tell nothing.
public struct ForwardGNN: LearningRule {
  /// The name in configurations.
  public static let name = "forward-gnn"
  /// What it does.
  public static let help = "every block of a graph network learns the classes of nodes by itself"

  /// How blocks learn.
  private enum Mode: String, CaseIterable {
    case singleForward = "single-forward"
    case labelAppending = "label-appending"
    case virtualNodes = "virtual-nodes"
    case topDown = "top-down"
  }

  private let mode: Mode
  private let temperature: Float
  private let threshold: Float

  /// Reads `mode`, `temperature` and `threshold`.
  public init(options: inout Options) throws(ConfigurationError) {
    let name = try options.choice(
      "mode", of: Mode.allCases.map(\.rawValue), default: Mode.singleForward.rawValue,
      "likeness to virtual nodes, one block after the other or all at once, or squared activities with right and wrong classes"
    )
    mode = Mode(rawValue: name) ?? .singleForward
    let isContrasting = mode == .labelAppending || mode == .virtualNodes
    temperature =
      !isContrasting || options.isDocumenting
      ? Float(
        try options.number(
          "temperature", default: 1, in: .positive,
          "single-forward, top-down: what likeness to virtual nodes is divided by")) : 1
    threshold =
      isContrasting || options.isDocumenting
      ? Float(
        try options.number(
          "threshold", default: 2, in: .nonNegative,
          "label-appending, virtual-nodes: the sum of squared activities that is neither right nor wrong")) : 2
  }

  /// Needs the data: see the other form.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    throw ConfigurationError("rule \(Self.name) learns from the nodes of one graph; give it data, such as `data: cora`")
  }

  /// Virtual nodes where there are some, and the model's blocks on graphs with the classes of the nodes that train.
  public func prepare(
    _ model: Model, _ objective: Objective, _ data: any DataSource
  ) throws(ConfigurationError) -> any ModelLearning {
    guard let graph = model.input.graph, data.count == 1 else {
      throw ConfigurationError(
        "rule \(Self.name) learns from the nodes of one graph, and gets \(data.count) samples of \(model.input); "
          + "choose data with a graph, such as `data: cora`")
    }
    guard objective.loss == .crossEntropy, case .classes(let count) = data.targetType, count > 1 else {
      throw ConfigurationError(
        "rule \(Self.name) learns two classes of nodes or more, but the targets are \(objective.loss.rawValue) of "
          + "\(Signal(objective.target)); choose data with classes")
    }
    let blocks = try Blocks(model)
    for body in blocks.bodies { try ForwardGNN.require(body, of: model) }
    if mode == .topDown { try ForwardGNN.requireOneWidth(blocks, of: model) }

    let classes = NodeClasses(data, classes: count)
    let features = model.input.shape[1]
    if mode == .labelAppending {
      let trunk = try model.prefix(
        blocks.head.lowerBound, for: Signal([graph.nodes, features + count], graph: graph))
      func told(_ labels: [Int32]) -> LabelledGraph {
        LabelledGraph(
          model: trunk, bodies: blocks.bodies, labels: .scalars(classes.rows(labels), classes: count))
      }
      return contrast(
        trunk, objective, (0..<count).map { told(classes.shifted(by: $0)) },
        (0..<count).map { told(classes.trying($0)) })
    }
    var scope = ParameterScope(after: model.prefix(blocks.head.lowerBound).layout)
    let virtual = scope.nested("auxiliary") {
      $0.state("virtual", [count, features], .normal(deviation: 1), .fixed)
    }
    let layout = scope.layout
    func told(_ labels: [Int32]) throws(ConfigurationError) -> LabelledGraph {
      let signal = Signal([graph.nodes + count, features], graph: classes.extend(graph, by: labels))
      return LabelledGraph(
        model: try model.prefix(blocks.head.lowerBound, for: signal).extended(layout), bodies: blocks.bodies,
        labels: .nodes(virtual))
    }
    let right = try told(classes.known)
    if mode == .virtualNodes {
      var (contrasted, tried) = ([right], [LabelledGraph]())
      for distance in 1..<count { contrasted.append(try told(classes.shifted(by: distance))) }
      for label in 0..<count { tried.append(try told(classes.trying(label))) }
      return contrast(right.model, objective, contrasted, tried)
    }
    let single = SingleForwardModel(
      model: right.model, objective: objective, graph: right, temperature: temperature)
    return mode == .topDown ? TopDownModel(single: single) : single
  }

  private func contrast(
    _ model: Model, _ objective: Objective, _ contrasted: [LabelledGraph], _ tried: [LabelledGraph]
  ) -> GraphContrastModel {
    GraphContrastModel(
      model: model, objective: objective, contrasted: contrasted, tried: tried, threshold: threshold)
  }

  private static let graphLayers = ["graph-convolution", "sage", "graph-attention"]

  /// Throws where a block is anything but graph layers, with linear ones between them, and relu at the end.
  private static func require(_ body: Range<Int>, of model: Model) throws(ConfigurationError) {
    let last = model.layers[body.upperBound - 1]
    guard last.layer.kind == "relu" else {
      throw ConfigurationError(
        "rule \(name) cannot train layer `\(last.name)` (\(last.layer.kind)): a block ends with relu")
    }
    let owners = model.parametrisedLayers.filter(body.contains).map { model.layers[$0] }
    for owner in owners where owner.layer.kind != "linear" && !graphLayers.contains(owner.layer.kind) {
      throw ConfigurationError(
        "rule \(name) cannot train layer `\(owner.name)` (\(owner.layer.kind)): its blocks are graph and linear layers "
          + "with relu")
    }
    guard owners.contains(where: { graphLayers.contains($0.layer.kind) }) else {
      throw ConfigurationError(
        "rule \(name) cannot train layers `\(model.layers[body.lowerBound].name)` to `\(last.name)`: there is none of "
          + "\(graphLayers.joined(separator: ", ")) among them, so that a node hears of no class; add one")
    }
  }

  /// Throws unless all blocks make as many features of a node.
  private static func requireOneWidth(_ blocks: Blocks, of model: Model) throws(ConfigurationError) {
    let widths = blocks.bodies.indices.map { blocks.output(of: $0, model).shape[-1] }
    guard Set(widths).count == 1 else {
      throw ConfigurationError(
        "rule \(name) with mode: top-down takes means of what blocks make, but these make \(widths) features; make them "
          + "equal")
    }
  }
}
