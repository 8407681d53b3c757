import Layers
import Tensors

/// A model whose blocks learn from local losses, the last one with the head from the objective.
///
/// All blocks take their step together, at the end of a batch: what enters a block comes from parameters of the same step
/// before.  Peak memory is that of the largest block with its local loss.
struct LocallyTrainedModel: ModularLearning {
  let model: Model
  let objective: Objective
  let modules: [LearningModule]
  /// One for each module but the last.
  let losses: [any LocalLoss]

  func record(module index: Int, _ entering: [Value], _ recorder: Recorder) -> [Value] {
    let (segment, values) = recorder.segment {
      let made = model.record(entering[0], recorder, layers: modules[index].layers)
      guard index < losses.count else { return [made, recorder.reporting { objective.record(made, recorder) }] }
      return [made] + losses[index].record(made, recorder)
    }
    recorder.differentiate(segment, losses: Array(values.dropFirst()))
    return [recorder.detach(values[0])]
  }
}
