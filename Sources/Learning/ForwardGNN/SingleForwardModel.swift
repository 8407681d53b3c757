import Layers
import Tensors

/// A graph network whose blocks each tell a node's class by the virtual node that it is most alike (see ``ForwardGNN``), one
/// block a phase.
struct SingleForwardModel: ModelLearning {
  let model: Model
  let objective: Objective
  let graph: LabelledGraph
  /// What products are divided by.
  let temperature: Float
  var phases: Int { graph.bodies.count }

  func record(_ recorder: Recorder, phase: Int) {
    recorder.reserveReport(2)
    let entering = graph.recordFrozen(upTo: phase, recorder)
    recorder.numberRandomLayers(fromBlock: phase)
    let (segment, losses) = recorder.segment {
      let outputs = logits(graph.record(block: phase, entering, recorder), recorder)
      return [recorder.reporting { objective.record(outputs, recorder) }]
    }
    recorder.differentiate(segment, losses: losses)
  }

  func recordOutputs(_ recorder: Recorder) -> Value {
    recorder.logMeanSoftmax(graph.recordAll(recorder).map { logits($0, recorder) })
  }

  /// What a node is alike, as the objective takes it.
  func logits(_ made: Value, _ recorder: Recorder) -> Value {
    let likeness = graph.recordLikeness(made, recorder)
    return temperature == 1 ? likeness : recorder.scale(likeness, by: 1 / temperature)
  }
}
