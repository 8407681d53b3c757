import Layers
import Tensors

/// A model that learns by goodness (see ``ForwardForward``).
///
/// What enters a block is normalised: two rows a sample, positive and negative in turn; a row a sample with the neutral label
/// (without labels the positive ones), whose activities the readout takes; and the activities that earlier blocks leave for it.
struct ForwardForwardModel: ModularLearning {
  let model: Model
  let objective: Objective
  let modules: [LearningModule]
  /// The layers of each block, relu at the end.
  let bodies: [Range<Int>]
  let means: [ModelState]
  let readout: LinearLayer
  /// The first block whose activities are read.
  let firstRead: Int
  let classes: Int
  let isSupervised: Bool
  let triesLabels: Bool
  let blurs: Int
  let goodness: GoodnessOptions
  let readoutRate: Float

  func recordEntry(_ recorder: Recorder) -> [Value] {
    let x = model.recordInput(recorder)
    if isSupervised {
      let pairs = recorder.labelPairs(x, objective.recordTargets(recorder), classes: classes)
      return [pairs, recorder.neutralLabels(x, classes: classes)].map { recorder.rootMeanSquareNorm($0) }
    }
    let pairs = recorder.rootMeanSquareNorm(recorder.hybridPairs(x, blurs: blurs))
    return [pairs, positives(pairs, recorder)]
  }

  func shapes(enteringModule module: Int, batch: Int) -> [Shape] {
    func made(_ index: Int) -> Shape { model.layers[bodies[index].upperBound - 1].layer.output.shape }
    let entering = module == 0 ? model.input.shape : made(module - 1)
    let kept = (firstRead..<max(firstRead, module - 1)).map(made)
    return [entering.batched(2 * batch), entering.batched(batch)] + kept.map { $0.batched(batch) }
  }

  func record(module index: Int, _ entering: [Value], _ recorder: Recorder) -> [Value] {
    let (segment, values) = recorder.segment { [sums(index, entering[0], recorder)] }
    let activities = recorder.relu(recorder.detach(values[0]))
    let isLast = index == bodies.count - 1
    let pairs = isLast ? activities : recorder.rootMeanSquareNorm(activities)
    let gradient = recorder.goodnessLoss(activities, means: means[index], goodness)
    // Around relu, so that the peers wake units that are 0.
    recorder.differentiate(segment, seeds: [(values[0], gradient)])

    let own =
      isSupervised
      ? self.activities(index, entering[1], recorder)
      : positives(isLast ? recorder.rootMeanSquareNorm(activities) : pairs, recorder)
    let read = entering.dropFirst(2) + (index > firstRead ? [entering[1]] : [])
    guard isLast else { return [pairs, own] + read }
    let (reading, losses) = recorder.segment {
      let outputs = logits(read + [own], recorder)
      return [recorder.reporting { objective.record(outputs, recorder, weight: readoutRate) }]
    }
    recorder.differentiate(reading, losses: losses)
    return []
  }

  func recordOutputs(_ recorder: Recorder) -> Value {
    let x = model.recordInput(recorder)
    guard triesLabels else {
      let entering = isSupervised ? recorder.neutralLabels(x, classes: classes) : x
      return logits(made(of: entering, recorder), recorder)
    }
    let scores = (0..<classes).map { label in
      let sums = made(of: recorder.label(x, as: label, classes: classes), normalised: false, recorder)
        .map { recorder.goodness($0) }
      let total = sums.dropFirst().reduce(sums[0]) { recorder.add($0, $1) }
      return recorder.reshape(total, [recorder.batch, 1])
    }
    return recorder.concatenate(scores)
  }

  /// What the blocks that are read make of samples.
  private func made(of x: Value, normalised: Bool = true, _ recorder: Recorder) -> [Value] {
    var entering = recorder.rootMeanSquareNorm(x)
    var read: [Value] = []
    for index in bodies.indices {
      let activities = recorder.relu(recorder.detach(sums(index, entering, recorder)))
      entering = recorder.rootMeanSquareNorm(activities)
      if index >= firstRead { read.append(normalised ? entering : activities) }
    }
    return read
  }

  /// The normalised activities of a block.
  private func activities(_ index: Int, _ entering: Value, _ recorder: Recorder) -> Value {
    recorder.rootMeanSquareNorm(recorder.relu(recorder.detach(sums(index, entering, recorder))))
  }

  /// What the relu of a block gets.
  private func sums(_ index: Int, _ entering: Value, _ recorder: Recorder) -> Value {
    model.record(entering, recorder, layers: bodies[index].lowerBound..<bodies[index].upperBound - 1)
  }

  /// The even rows.
  private func positives(_ pairs: Value, _ recorder: Recorder) -> Value {
    let sample = recorder.shape(pairs).sample
    let rows = recorder.reshape(pairs, [recorder.batch, 2, sample.count])
    return recorder.reshape(recorder.slice(rows, 0..<1, axis: 1), sample.batched(recorder.batch))
  }

  private func logits(_ read: [Value], _ recorder: Recorder) -> Value {
    let flat = read.map { recorder.flatten($0) }
    return recorder.scope("readout") {
      readout.record(flat.count == 1 ? flat[0] : recorder.concatenate(flat), recorder)
    }
  }
}
