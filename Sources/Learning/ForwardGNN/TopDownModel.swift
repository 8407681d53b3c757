import Layers
import Tensors

/// A graph network whose blocks learn together, each towards the virtual nodes by the mean of its activities and of those above
/// it (see ``ForwardGNN``).
struct TopDownModel: ModelLearning {
  /// How it predicts, and what its blocks are.
  let single: SingleForwardModel
  var model: Model { single.model }
  var objective: Objective { single.objective }

  func record(_ recorder: Recorder, phase: Int) {
    recorder.reserveReport(2)
    let graph = single.graph
    var entering = graph.recordFrozen(upTo: 0, recorder)
    let made = graph.bodies.indices.map { block in
      let (segment, values) = recorder.segment { [graph.record(block: block, entering, recorder)] }
      entering = recorder.detach(values[0])
      return (segment: segment, activities: values[0])
    }
    for block in made.indices {
      let above = made[(block + 1)...].map { recorder.detach($0.activities) }
      let (segment, losses) = recorder.segment {
        let sum = above.reduce(made[block].activities) { recorder.add($0, $1) }
        let mean = above.isEmpty ? sum : recorder.scale(sum, by: 1 / Float(above.count + 1))
        func loss() -> Value { objective.record(single.logits(mean, recorder), recorder) }
        return [block == made.count - 1 ? recorder.reporting(loss) : loss()]
      }
      recorder.differentiate(segment, losses: losses)
      recorder.differentiate(made[block].segment)
    }
  }

  func recordOutputs(_ recorder: Recorder) -> Value { single.recordOutputs(recorder) }
}
