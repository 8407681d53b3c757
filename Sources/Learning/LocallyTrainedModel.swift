import Configuration
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

  /// A model cut into modules of some layers each, whose losses are of a kind.
  init(
    _ model: Model, _ objective: Objective, modules ranges: [Range<Int>], _ kind: any LocalLossKind
  ) throws(ConfigurationError) {
    var scope = ParameterScope(after: model.layout)
    var losses: [any LocalLoss] = []
    for (index, layers) in ranges.enumerated().dropLast() {
      let name = "auxiliary.\(index)"
      let place = LocalPlace(
        model: model, objective: objective, signal: model.layers[layers.upperBound - 1].layer.output, block: index,
        count: ranges.count, name: name)
      losses.append(
        try scope.nested(name) { (scope: inout ParameterScope) throws(ConfigurationError) in
          try kind.make(place, in: &scope)
        })
    }
    let extended = model.extended(scope.layout)
    self.model = extended
    self.objective = objective
    self.losses = losses
    modules = ranges.enumerated().map { index, layers in
      LearningModule(extended, layers: layers, auxiliary: index < losses.count ? ["auxiliary.\(index)"] : [])
    }
  }

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
