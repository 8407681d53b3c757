import Layers
import Tensors

/// A model and a feedback network that meet at every layer: what the model makes of the samples, and what feedback makes of the
/// classes or of the target values, are pulled together, and no gradient flows further than a layer.
struct CounterCurrentModel: ModelLearning {
  let model: Model
  let objective: Objective
  /// Layers 1 to L.
  let layers: [MirroredLayer]
  let comparison: CounterComparison
  let scale: Float
  /// The probability of the own class above which a sample takes no part in the local losses.
  let filter: Double?
  /// Scalars of the model's own parameters.
  let forwardParameters: Int

  /// The model's own gradient, and that of the feedback network.
  var clippedParts: [Range<Int>] {
    [0..<forwardParameters, forwardParameters..<model.layout.parameterCount]
  }

  /// Feedback first, from the targets down; then layer by layer, each with its loss.
  func record(_ recorder: Recorder, phase: Int) {
    recorder.reserveReport(2)
    let top = recordTop(recorder)
    var feedback: [(segment: Recorder.Segment, value: Value)?] = layers.map { _ in nil }
    var backward = top.signal
    for index in layers.indices.reversed() {
      let (segment, values) = recorder.segment { [layers[index].recordFeedback(recorder.detach(backward), recorder)] }
      backward = values[0]
      feedback[index] = (segment, backward)
    }
    /// The loss between what has come to a place and the feedback there, and its gradients.
    func learn(_ place: Int, _ forward: Value, _ segment: Recorder.Segment?, _ mask: Value?) {
      guard let counter = feedback[place] else { return }
      let (loss, losses) = recorder.segment {
        let known = mask.map { recorder.scaleRows(forward, by: $0) } ?? forward
        return comparison.record(
          CounterPair(forward: known, backward: counter.value, signal: layers[place].input), top.targets, scale: scale,
          objective, recorder)
      }
      recorder.differentiate(loss, losses: losses)
      if let segment { recorder.differentiate(segment) }
      recorder.differentiate(counter.segment)
    }
    // Which samples are learned is known at the end only; without that question, activations are free layer by layer.
    var waiting: [(place: Int, forward: Value, segment: Recorder.Segment?)] = []
    var (forward, made): (Value, Recorder.Segment?) = (model.recordInput(recorder), nil)
    for (place, layer) in layers.enumerated() {
      if filter == nil { learn(place, forward, made, nil) } else { waiting.append((place, forward, made)) }
      let isLast = place == layers.count - 1
      let (segment, values) = recorder.segment {
        let made = model.record(recorder.detach(forward), recorder, layers: layer.layers)
        return isLast ? [made, recorder.reporting { objective.record(made, recorder) }] : [made]
      }
      if isLast { recorder.differentiate(segment, losses: [values[1]]) }
      (forward, made) = (values[0], segment)
    }
    guard let filter, !waiting.isEmpty else { return }
    let mask = recorder.unlearnedRows(forward, recorder.target(objective.target, .int32), limit: filter)
    for (place, forward, made) in waiting { learn(place, forward, made, mask) }
  }

  /// What feedback begins with: all classes, a row each, or the target values of the batch; and the targets of local losses.
  private func recordTop(_ recorder: Recorder) -> (signal: Value, targets: Value?) {
    if case .distances = comparison {
      let values = recorder.target(objective.target, .float32)
      return (recorder.reshape(values, model.output.shape.batched(recorder.batch)), nil)
    }
    let classes = model.output.shape.count
    return (
      recorder.identity(classes), recorder.oneHot(recorder.target(objective.target, .int32), classes: classes)
    )
  }
}
