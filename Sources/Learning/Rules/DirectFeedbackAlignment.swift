import Configuration
import Layers
import Tensors

/// Direct feedback alignment (Nøkland 2016): the error at the outputs reaches every block through a fixed random matrix of its
/// own; with `signal: sign` only its signs do (sDFA, Frenkel, Lefebvre, Bol 2021).
///
/// The error is the gradient of the loss at the outputs, a mean over samples; its signs are divided by the samples too.  It enters
/// a block after its nonlinearity; inside a block gradients flow as in backpropagation.  Matrices are Kaiming-uniform as in
/// DRTP's program.  All activations are kept until the loss is known: the rule frees memory no earlier than backpropagation.
public struct DirectFeedbackAlignment: LearningRule {
  /// The name in configurations.
  public static let name = "direct-feedback-alignment"
  /// What it does.
  public static let help = "every block learns from the error at the outputs, through a random matrix of its own"

  private let count: Int?
  private let signs: Bool
  private let scale: Float

  /// Reads `blocks`, `signal` and `hidden-scale`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    signs =
      try options.choice("signal", of: ["error", "sign"], default: "error", "what of the error reaches hidden blocks")
      == "sign"
    scale = try FeedbackBlocks.readScale(&options)
  }

  /// One matrix a block: [outputs, what the block makes of a sample], or for a model with outputs at every position [outputs of
  /// a position, what the block makes of a position].
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try FeedbackBlocks(
      model, count: count, rule: Self.name, sharesTime: false, bound: FeedbackBlocks.kaiming)
    return DirectlyAlignedModel(blocks: blocks, objective: objective, signs: signs, scale: scale)
  }
}

/// A model whose blocks learn from its outputs' error through random matrices.
struct DirectlyAlignedModel: ModelLearning {
  let blocks: FeedbackBlocks
  let objective: Objective
  let signs: Bool
  let scale: Float
  var model: Model { blocks.model }

  /// All blocks forward, the output layers' gradient, then the blocks' gradients, last to first.
  func record(_ recorder: Recorder, phase: Int) {
    var entering = model.recordInput(recorder)
    var parts: [(block: FeedbackBlock, segment: Recorder.Segment, made: Value)] = []
    for block in blocks.hidden {
      let (segment, values) = recorder.segment { block.record(entering, model, recorder) }
      parts.append((block, segment, values[0]))
      entering = recorder.detach(values[1])
    }
    let (segment, values) = recorder.segment {
      let outputs = model.record(entering, recorder, layers: blocks.output)
      return [outputs, objective.record(outputs, recorder)]
    }
    recorder.differentiate(segment, losses: [values[1]])
    guard let error = recorder.gradient(of: values[0]) else { preconditionFailure("the loss has no gradient") }
    for part in parts.reversed() {
      guard let matrix = part.block.matrix else { continue }
      let signal = recorder.projection(
        ofError: recordError(error, part.block, recorder), recorder.state(matrix))
      recorder.differentiate(
        part.segment, seeds: [(part.made, recorder.reshape(signal, recorder.shape(part.made)))])
    }
  }

  private func recordError(_ error: Value, _ block: FeedbackBlock, _ recorder: Recorder) -> Value {
    if signs { return recorder.sign(error, factor: scale * blocks.factor(of: block, objective)) }
    return scale == 1 ? error : recorder.scale(error, by: scale)
  }
}
