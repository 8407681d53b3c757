import Configuration
import Datasets
import Layers
import Tensors

/// NoProp (Li, Teh, Pascanu 2025): blocks learn to denoise the label given the sample, each from noise that is drawn from the
/// label itself, so that nothing need pass forward or back between them.
///
/// The model less its last layer with weights, and what follows that, is the image path.  Added are `out`, a linear layer that
/// reads the class from the denoised label and takes the place of what was left out, and for each block a path for the label
/// and one for both (`blocks.<t>.…`; `auxiliary.…` for `ct` and `fm`).
///
/// - `dt`: T blocks, one a step.  The model's own layers are the image path of block 1; the others have copies of their own,
///   `blocks.<t>.<layer>.…`.  All blocks take a step on the same batch; Algorithm 1 trains them one after the other, each for
///   all batches, and adds the loss of `out` to that of every block.  With one-hot embeddings and rules that divide by the
///   gradient's size, the difference is when a block learns, not what; learned embeddings hear all blocks at once, and `out`
///   takes one step where Algorithm 1 takes T: it starts at zero, not at random weights that it would first have to outgrow.
/// - `ct`: one network for all times, with a learned schedule of noise; `fm`: one network for the velocity from noise to label.
///   For `fm` the classifier is trained beside one-hot embeddings too, so that there is one way to predict.
///
/// Inference draws z_0 and then takes the mean of every step, which has been found better than drawing; `noise: true` draws.
/// Embeddings are fixed and one-hot, learned from orthonormal ones, or learned from samples (`prototype`): from the one of each
/// class whose median distance to the first 256 of its class is least.
public struct NoProp: LearningRule {
  /// The name in configurations.
  public static let name = "noprop"
  /// What it does.
  public static let help = "blocks denoise the label, each by itself, from noise drawn from the label"

  private enum Variant: String, CaseIterable {
    case dt, ct, fm
  }

  private let variant: Variant
  private let steps: Int
  private let kind: LabelEmbedding.Kind
  private let width: Int
  private let units: Int
  private let eta: Double
  private let isNoisy: Bool

  /// Reads its options.
  public init(options: inout Options) throws(ConfigurationError) {
    let name = try options.choice(
      "variant", of: Variant.allCases.map(\.rawValue), default: Variant.dt.rawValue,
      "steps of fixed noise with a block each (dt), any time with one network (ct), or a flow (fm)")
    variant = Variant(rawValue: name) ?? .dt
    let (isDiscrete, isDocumenting) = (variant == .dt, options.isDocumenting)
    var steps = 50
    if isDiscrete { steps = try options.integer("blocks", default: 10, in: 1...1000, "dt: blocks, each of one step") }
    if !isDiscrete || isDocumenting {
      let shown = try options.integer(
        "inference-steps", default: 50, in: 1...1000, "ct, fm: steps from noise to label")
      if !isDiscrete { steps = shown }
    }
    self.steps = steps
    let embedding = try options.choice(
      "embedding", of: LabelEmbedding.Kind.allCases.map(\.rawValue), default: LabelEmbedding.Kind.oneHot.rawValue,
      "what stands for a class: fixed rows, learned ones, or learned ones that begin as samples")
    kind = LabelEmbedding.Kind(rawValue: embedding) ?? .oneHot
    width =
      kind == .learned || isDocumenting
      ? try options.integer("width", default: 20, in: 1...1 << 16, "embedding learned: numbers of a class") : 0
    units = try options.integer("units", default: 256, in: 2...1 << 16, unit: "units", "units of the label's path")
    eta =
      variant == .fm
      ? 1
      : try options.number(
        "eta", default: isDiscrete ? 0.1 : 1, in: .positive,
        "dt, ct (default 1): weight of denoising beside the classifier")
    isNoisy =
      variant == .fm
      ? false : try options.flag("noise", default: false, "dt, ct: whether inference draws noise at every step")
  }

  /// The same without data; embeddings that start as samples need some.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    try prepare(model, objective, nil)
  }

  /// Copies of the image path, paths for labels, and a classifier.
  public func prepare(
    _ model: Model, _ objective: Objective, _ data: any DataSource
  ) throws(ConfigurationError) -> any ModelLearning {
    try prepare(model, objective, Optional(data))
  }

  private func embedding(
    _ model: Model, _ data: (any DataSource)?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> LabelEmbedding {
    let classes = model.output.shape.count
    switch kind {
    case .oneHot: return LabelEmbedding(oneHot: classes)
    case .learned: return LabelEmbedding(classes: classes, width: width, in: &scope)
    case .prototype:
      guard let data, case .float32 = data.inputType else {
        throw ConfigurationError(
          "learning.embedding is prototype, which needs samples of numbers; choose one-hot or learned for \(model.name)"
        )
      }
      return LabelEmbedding(
        classes: classes, width: model.input.shape.count, columns: ClassPrototypes.rows(data, classes: classes),
        in: &scope)
    }
  }

  private func prepare(
    _ model: Model, _ objective: Objective, _ data: (any DataSource)?
  ) throws(ConfigurationError) -> any ModelLearning {
    try Classes.require(model, objective, for: Self.name)
    let owners = model.parametrisedLayers
    guard owners.count > 1, let last = owners.last else {
      throw ConfigurationError(
        "rule \(Self.name) cannot train layer `\(model.layers[owners.last ?? 0].name)`: its image path is the model less its "
          + "last layer with weights, and there is no other; add a hidden layer")
    }
    let image = model.prefix(last)
    var scope = ParameterScope(after: image.layout)
    let classes = model.output.shape.count
    let embedding = try embedding(model, data, in: &scope)
    func classifier(_ scope: inout ParameterScope) -> LinearLayer {
      scope.nested("out") { LinearLayer(Signal([embedding.width]), outputs: classes, in: &$0) }
    }
    func finished(_ out: LinearLayer, _ layout: ParameterLayout) -> Model {
      let own = [out.weight, out.bias].compactMap { $0?.name }
      let layout = layout.initialising { own.contains($0.name) ? .constant(0) : nil }
      return image.extended(layout, by: out, name: "out")
    }

    guard variant == .dt else {
      let network = try DenoisingNetwork(
        times: image.sequential(0..<last), scope: "auxiliary", width: embedding.width, units: units,
        outputs: variant == .fm ? embedding.width : classes, in: &scope)
      let form: ContinuousNoProp.Form =
        variant == .fm
        ? .flow
        : .diffusion(schedule: scope.nested("schedule") { $0.parameter("weight", [3, 64], .normal(deviation: 1)) })
      let out = classifier(&scope)
      return ContinuousNoProp(
        model: finished(out, scope.layout), objective: objective, form: form, network: network, embedding: embedding,
        out: out, eta: eta, isNoisy: isNoisy, steps: steps)
    }

    var blocks: [DenoisingNetwork] = []
    for step in 1...steps {
      let name = "blocks.\(step)"
      let path =
        step == 1
        ? image.sequential(0..<last)
        : try scope.nested(name) { (scope: inout ParameterScope) throws(ConfigurationError) in
          try model.fresh(0..<last, for: model.input, in: &scope)
        }
      blocks.append(
        DenoisingNetwork(
          step: path, imageScope: step == 1 ? nil : name, scope: name, width: embedding.width, units: units,
          outputs: classes, in: &scope))
    }
    let out = classifier(&scope)
    let extended = finished(out, scope.layout)
    // The blocks after the first, then the first with the model's own layers.
    let members = embedding.weight == nil ? (1..<steps).map { [$0] } + [[0]] : [Array(0..<steps)]
    let modules = members.map { members in
      LearningModule(
        extended, layers: 0..<(members.contains(0) ? extended.layers.count : 0),
        auxiliary: members.map { "blocks.\($0 + 1)" } + (embedding.weight == nil ? [] : ["embedding"]))
    }
    return DiscreteNoProp(
      model: extended, objective: objective, modules: modules, members: members, blocks: blocks, embedding: embedding,
      out: out, levels: NoiseLevels(cosine: steps), eta: eta, isNoisy: isNoisy)
  }
}
