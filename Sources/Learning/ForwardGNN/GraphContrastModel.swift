import Layers
import Tensors

/// A graph network whose blocks each tell nodes of the right class from those of wrong ones by their squared activities (see
/// ``ForwardGNN``), one block a phase.
struct GraphContrastModel: ModelLearning {
  let model: Model
  let objective: Objective
  /// The graph with the right classes, then those with wrong ones.
  let contrasted: [LabelledGraph]
  /// For each class the graph whose nodes of no known class are taken for it.
  let tried: [LabelledGraph]
  /// The sum of squares that is neither positive nor negative.
  let threshold: Float
  var phases: Int { contrasted[0].bodies.count }

  func record(_ recorder: Recorder, phase: Int) {
    recorder.reserveReport(2)
    let entering = contrasted.map { $0.recordFrozen(upTo: phase, recorder) }
    recorder.numberRandomLayers(fromBlock: phase)
    let (segment, losses) = recorder.segment {
      let views = zip(contrasted, entering).map { graph, entering in
        graph.rows(graph.record(block: phase, entering, recorder), recorder)
      }
      let targets = objective.recordTargets(recorder)
      return [recorder.reporting { recorder.goodnessContrast(views, targets, threshold: threshold) }]
    }
    recorder.differentiate(segment, losses: losses)
  }

  func recordOutputs(_ recorder: Recorder) -> Value { recorder.concatenate(tried.map { score($0, recorder) }) }

  /// The mean square of each node's activities, summed over blocks, less a constant: `[batch, nodes, 1]`.
  private func score(_ graph: LabelledGraph, _ recorder: Recorder) -> Value {
    let nodes = model.input.shape[0]
    let squares = graph.recordAll(recorder).map { made in
      let width = recorder.shape(made)[-1]
      let rows = recorder.reshape(graph.rows(made, recorder), [recorder.batch * nodes, width])
      return recorder.scale(recorder.goodness(rows), by: 1 / Float(width))
    }
    let total = squares.dropFirst().reduce(squares[0]) { recorder.add($0, $1) }
    return recorder.reshape(total, [recorder.batch, nodes, 1])
  }
}
