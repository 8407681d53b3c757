import Layers
import Tensors

/// What the targets of a batch tell a hidden block through its matrix P.
enum TargetSignal: Sendable {
  /// Y P itself as the gradient.
  case projection
  /// The gradient of ½ ‖h − Y P‖².
  case squaredDistance
  /// The gradient of Σ |h − Y P|.
  case distance
}

/// A model whose hidden blocks learn from random projections of the targets, as soon as they have been computed, and whose
/// output layers learn from the objective.
///
/// No block waits for a later one, and its activations are free when the next one begins.  Inside a block, from where the signal
/// enters, gradients flow as in backpropagation, but not from one step of a recurrence to the one before.
struct TargetTrainedModel: ModularLearning {
  let blocks: FeedbackBlocks
  let objective: Objective
  let signal: TargetSignal
  /// What signals are multiplied by.
  let scale: Float
  /// Blocks, from the first, that keep their random weights.
  let frozen: Int
  let modules: [LearningModule]
  var model: Model { blocks.model }

  init(_ blocks: FeedbackBlocks, _ objective: Objective, _ signal: TargetSignal, scale: Float, frozen: Int = 0) {
    self.blocks = blocks
    self.objective = objective
    self.signal = signal
    self.scale = scale
    self.frozen = frozen
    modules = blocks.modules
  }

  func record(module index: Int, _ entering: [Value], _ recorder: Recorder) -> [Value] {
    guard index < blocks.hidden.count else {
      let (segment, losses) = recorder.segment {
        let made = model.record(entering[0], recorder, layers: blocks.output)
        return [recorder.reporting { objective.record(made, recorder) }]
      }
      recorder.differentiate(segment, losses: losses)
      return []
    }
    let block = blocks.hidden[index]
    let (segment, values) = recorder.segment { block.record(entering[0], model, recorder) }
    if let matrix = block.matrix, index >= frozen {
      let gradient = recordSignal(values[0], block, recorder.state(matrix), recorder)
      recorder.flowsThroughTime = false
      recorder.differentiate(segment, seeds: [(values[0], gradient)])
      recorder.flowsThroughTime = true
    }
    return [recorder.detach(values[1])]
  }

  /// The gradient that enters a block's output `made`.
  private func recordSignal(_ made: Value, _ block: FeedbackBlock, _ matrix: Value, _ recorder: Recorder) -> Value {
    let targets = objective.recordTargets(recorder)
    let places = signal == .projection ? 1 : block.places
    let factor = scale * blocks.factor(of: block, objective) / Float(places)
    func projection(_ factor: Float?) -> Value {
      let rows = recorder.batch * block.rows
      return recorder.reshape(
        recorder.projection(of: targets, matrix, rows: rows, repeats: block.repeats, factor: factor),
        recorder.shape(made))
    }
    // Nodes of a graph that have no class have no target either, which is not to be near zero.
    func learning(_ gradient: Value) -> Value {
      model.input.graph == nil ? gradient : recorder.rowsWithClass(gradient, targets)
    }
    return switch signal {
    case .projection: projection(factor)
    case .squaredDistance: learning(recorder.squaredDistanceGradient(made, projection(nil), factor: factor))
    case .distance: learning(recorder.distanceGradient(made, projection(nil), factor: factor))
    }
  }
}
