import Configuration
import Layers
import Tensors

/// Guidance by representational alignment (Subramaniam et al. 2024): the representations of a model are drawn towards those of a
/// frozen one, which may be untrained.
///
/// Loss = task + strength · Σᵢ (1 − CKA), where guide block i of n_g goes with block round(i (n_t − 1) / (n_g − 1)) of the model's
/// n_t, both cut at their nonlinearities.  The alignment is that of each shard by itself, weighted by its samples: results depend
/// on the number of shards (not of ranks).  The guide runs as in evaluation, with running statistics and without dropout.
public struct Guidance: Sendable {
  /// The guide.
  let configuration: ModelConfiguration
  /// What the alignments count beside the task.
  let strength: Float

  /// Reads the key `guidance`; nil where it is absent.
  static func read(_ options: inout Options) throws(ConfigurationError) -> Guidance? {
    guard options.has("guidance") || options.isDocumenting else { return nil }
    return try options.section(
      "guidance", "a frozen model whose representations are followed; none unless given; with backpropagation only"
    ) { (options) throws(ConfigurationError) in
      let configuration = try ModelConfiguration(&options)
      let strength = try options.number("strength", default: 1, in: .positive, "what the alignment counts in the loss")
      return Guidance(configuration: configuration, strength: Float(strength))
    }
  }

  /// Builds the guide for the model's samples.
  func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let guide = try configuration.build(input: model.input, classes: model.output.shape[-1]).model
    let (targets, guides) = (try ends(of: model, "model"), try ends(of: guide, "learning.guidance.model"))
    let step = Double(targets.count - 1) / Double(max(1, guides.count - 1))
    let pairs = guides.enumerated().map { index, layer in
      (target: targets[Int((Double(index) * step).rounded())], guide: layer)
    }
    var scope = ParameterScope(after: model.layout)
    let states = scope.nested(GuidedModel.scope) { FrozenStates(guide.layout, in: &$0) }
    return GuidedModel(
      model: model.extended(scope.layout), objective: objective, guide: guide, states: states, pairs: pairs,
      strength: strength, weights: configuration.weights)
  }

  /// The last layers of a model's blocks.
  private func ends(of model: Model, _ key: String) throws(ConfigurationError) -> [Int] {
    do throws(ConfigurationError) {
      return try Blocks(model).bodies.map { $0.upperBound - 1 }
    } catch {
      throw ConfigurationError("learning.guidance: \(key) has no nonlinearity after which to compare representations")
    }
  }
}

/// A model that learns by backpropagation and follows a frozen one.
struct GuidedModel: ModelLearning {
  static let scope = "auxiliary.guide"

  let model: Model
  let objective: Objective
  let guide: Model
  let states: FrozenStates
  /// Layers of the model and of the guide that are compared.
  let pairs: [(target: Int, guide: Int)]
  let strength: Float
  let weights: String?

  var givenStates: [(file: String, scope: String)] { weights.map { [($0, GuidedModel.scope)] } ?? [] }

  func record(_ recorder: Recorder, phase: Int) {
    let x = model.recordInput(recorder)
    let representations = record(model, x, recorder)
    let loss = objective.record(representations.last ?? x, recorder)
    let guides = recorder.frozen(states) { recorder.scope(GuidedModel.scope) { record(guide, x, recorder) } }
    let alignments = pairs.map {
      recorder.kernelAlignment(representations[$0.target], guide: guides[$0.guide], weight: strength)
    }
    recorder.fuse()
    recorder.differentiate([loss] + alignments)
  }

  /// What every layer makes.
  private func record(_ model: Model, _ x: Value, _ recorder: Recorder) -> [Value] {
    var made: [Value] = []
    for place in model.layers.indices {
      made.append(model.record(made.last ?? x, recorder, layers: place..<place + 1))
    }
    return made
  }
}
