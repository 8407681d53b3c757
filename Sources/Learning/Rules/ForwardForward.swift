import Configuration
import Layers
import Tensors

/// The Forward-Forward algorithm (Hinton 2022): every block tells positive samples from negative ones by the sum of its squared
/// activities, which a block hands on as a direction alone; no gradient passes a block.
///
/// Blocks are the model's linear and convolution layers up to their relu; what follows the last one is replaced by `readout`, a
/// bias-free linear layer that starts at zero and reads the normalised activities of all blocks but the first (of one block,
/// its own).  The parameters are those of the blocks and `readout.weight`; `auxiliary.<block>.mean` are running means of
/// positive activities, from 0.5.
///
/// Settings are those of the reference implementation of the supervised experiment (1.45 % error on MNIST with 3×1000 units, 100
/// epochs, sgd of rate 1e-3, momentum 0.9, weight decay 3e-4, batch 100, pixels of 0…1).  What differs:
/// - The reference trains the readout with rate 1e-2 and weight decay 3e-3, the blocks with 1e-3 and 3e-4.  Here there is one
///   optimizer; `readout-rate` multiplies the readout's gradient, which with sgd is the rate; its decay stays that of the
///   blocks times their rate.  With rules that divide by the gradient's size, such as adam, it does nothing.
/// - The peer normalisation acts by the means before the step.
/// - Of images, goodness is the mean over positions of what the channels of a position make, the norm is over all scalars of a
///   sample, and means are those of channels over positions.
///
/// Dropout between blocks draws for a positive sample and its negative one from the key of the same sample, different parts each.
public struct ForwardForward: LearningRule {
  /// The name in configurations.
  public static let name = "forward-forward"
  /// What it does.
  public static let help = "every block tells positive from negative samples by its squared activities"

  private let count: Int?
  private let isSupervised: Bool
  private let triesLabels: Bool
  private let blurs: Int
  private let goodness: GoodnessOptions
  private let readoutRate: Float
  private let redraws: Bool

  /// Reads its options.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    isSupervised =
      try options.choice(
        "mode", of: ["supervised", "unsupervised"], default: "supervised",
        "negative samples: wrong labels in the first scalars of a sample, or hybrids of two samples") == "supervised"
    triesLabels =
      try options.choice(
        "predict", of: ["readout", "goodness"], default: "readout",
        "a linear layer on the activities of a neutral label, or the label of the greatest goodness, a pass for each")
      == "goodness"
    blurs = try options.integer("blurs", default: 6, in: 0...100, "blurs of the random bits that hybrids are cut by")
    let peer = try options.number(
      "peer-normalisation", default: 0.03, in: .nonNegative, "weight of what makes units equally active")
    let momentum = try options.number(
      "peer-momentum", default: 0.1, in: .positiveFraction, "share of the newest batch in the running mean of a unit")
    let isMasked = try options.flag(
      "masked", default: false, "whether relu's gradient is 0 for units that are 0, so that peers do not wake them")
    goodness = GoodnessOptions(peer: Float(peer), momentum: Float(momentum), isMasked: isMasked)
    readoutRate = Float(
      try options.number("readout-rate", default: 10, in: .positive, "factor of the readout's gradient"))
    redraws =
      try options.choice(
        "initialisation", of: ["normal", "model"], default: "normal",
        "weights of deviation 1/√(units of the layer) and biases of 0, or as the layers have them") == "normal"
    try options.require(
      isSupervised || !triesLabels, key: "predict",
      "\(options.keyPath).predict: goodness tries labels, but mode: unsupervised learns none; leave it out")
  }

  /// A mean for each unit of each block, and a readout.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    try Classes.require(model, objective, for: Self.name)
    let classes = model.output.shape.count
    guard !isSupervised || model.input.shape.count >= classes else {
      throw ConfigurationError(
        "rule \(Self.name) writes a label of \(classes) scalars over a sample of \(model.input.shape.count) "
          + "(\(model.input)); choose mode: unsupervised, or samples of \(classes) scalars or more")
    }
    let blocks = try Blocks(model, count: count)
    for body in blocks.bodies { try ForwardForward.require(body, of: model) }

    let trunk = model.prefix(blocks.head.lowerBound)
    var scope = ParameterScope(after: redraws ? trunk.layout.initialising(ForwardForward.initialiser) : trunk.layout)
    let means = blocks.bodies.indices.map { index in
      let width = blocks.output(of: index, model).shape[-1]
      return scope.nested("auxiliary.\(index)") {
        $0.state("mean", [width], initial: 0.5, momentum: goodness.momentum)
      }
    }
    let firstRead = blocks.bodies.count > 1 ? 1 : 0
    let read = (firstRead..<blocks.bodies.count).reduce(0) { $0 + blocks.output(of: $1, model).shape.count }
    let readout = scope.nested("readout") {
      LinearLayer(Signal([read]), outputs: classes, bias: false, in: &$0)
    }
    let layout = scope.layout.initialising { $0.name == readout.weight.name ? .constant(0) : nil }
    let extended = trunk.extended(layout, by: readout, name: "readout")
    let modules = blocks.bodies.enumerated().map { index, body in
      let isLast = index == blocks.bodies.count - 1
      return LearningModule(
        extended, layers: body.lowerBound..<body.upperBound + (isLast ? 1 : 0), auxiliary: ["auxiliary.\(index)"])
    }
    return ForwardForwardModel(
      model: extended, objective: objective, modules: modules, bodies: blocks.bodies, means: means,
      readout: readout, firstRead: firstRead, classes: classes, isSupervised: isSupervised, triesLabels: triesLabels,
      blurs: blurs, goodness: goodness, readoutRate: readoutRate)
  }

  /// Throws where a block is anything but linear or convolution layers with relu at the end.
  private static func require(_ body: Range<Int>, of model: Model) throws(ConfigurationError) {
    let last = model.layers[body.upperBound - 1]
    guard last.layer.kind == "relu" else {
      throw ConfigurationError(
        "rule \(name) cannot train layer `\(last.name)` (\(last.layer.kind)): a block ends with relu, so that its activities "
          + "are at least 0")
    }
    let owners = model.parametrisedLayers.filter(body.contains).map { model.layers[$0] }
    guard !owners.isEmpty else {
      throw ConfigurationError("rule \(name) cannot train layer `\(last.name)` (relu): nothing before it has weights")
    }
    for owner in owners where !["linear", "convolution"].contains(owner.layer.kind) {
      throw ConfigurationError(
        "rule \(name) cannot train layer `\(owner.name)` (\(owner.layer.kind)): its blocks are linear and convolution "
          + "layers with relu; samples are normalised between them")
    }
  }

  /// N(0, 1/√units) for weights, 0 for biases.
  private static func initialiser(_ parameter: Parameter) -> Initialiser? {
    parameter.shape.rank == 1
      ? .constant(0) : .normal(deviation: Float(1 / Double(parameter.shape[0]).squareRoot()))
  }
}
