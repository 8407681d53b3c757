import Layers
import Tensors

/// A model of T blocks, each of which denoises the label by one step (see ``NoProp``).
///
/// Block t is trained on z_{t−1}, drawn from the label: it takes nothing from other blocks.  Of one-hot embeddings every block
/// is a module of its own that passes nothing on.  The last module is the first block, whose image path are the model's own
/// layers, with `out`; it reports the cross entropy of what the first block makes of almost pure noise.
struct DiscreteNoProp: ModularLearning {
  let model: Model
  let objective: Objective
  let modules: [LearningModule]
  /// The blocks that each module holds.
  let members: [[Int]]
  /// Blocks 1 to T.
  let blocks: [DenoisingNetwork]
  let embedding: LabelEmbedding
  let out: LinearLayer
  let levels: NoiseLevels
  let eta: Double
  /// Whether inference draws noise at every step, not only z_0.
  let isNoisy: Bool

  /// The samples are the batch's for every module.
  func recordEntry(_ recorder: Recorder) -> [Value] { [] }

  func shapes(enteringModule module: Int, batch: Int) -> [Shape] { [] }

  func record(module: Int, _ entering: [Value], _ recorder: Recorder) -> [Value] {
    for block in members[module] { record(block: block, recorder) }
    if module == modules.count - 1 { recordOut(recorder) }
    return []
  }

  /// The loss of a block, counted from 0, and its gradients.
  private func record(block index: Int, _ recorder: Recorder) {
    recorder.numberRandomLayers(fromBlock: index)
    let weight = Float(eta * levels.weight(index + 1))
    let (segment, values) = recorder.segment {
      let u = embedding.record(objective.recordTargets(recorder), recorder)
      let z = noisy(u, step: index, recorder)
      let logits = blocks[index].record(blocks[index].features(model.recordInput(recorder), recorder), z, recorder)
      let difference = recorder.add(embedding.guess(logits, recorder), recorder.scale(u, by: -1))
      return [recorder.squaredNorm(difference, weight: weight), logits]
    }
    recorder.differentiate(segment, losses: [values[0]])
    if index == 0 { _ = recorder.reporting { objective.record(recorder.detach(values[1]), recorder) } }
  }

  /// The classifier of z_T, and what keeps embeddings from growing: the part of KL(q(z_0|y) ‖ p(z_0)) that depends on them,
  /// ½ ᾱ_0 ‖u‖².
  private func recordOut(_ recorder: Recorder) {
    recorder.numberRandomLayers(fromBlock: blocks.count)
    let (segment, losses) = recorder.segment {
      let u = embedding.record(objective.recordTargets(recorder), recorder)
      let outputs = classify(noisy(u, step: levels.steps, recorder), recorder)
      let divergence =
        embedding.weight == nil ? [] : [recorder.squaredNorm(u, weight: Float(levels.shares[0] / 2))]
      return [objective.record(outputs, recorder)] + divergence
    }
    recorder.differentiate(segment, losses: losses)
  }

  func recordOutputs(_ recorder: Recorder) -> Value {
    recorder.numberRandomLayers(fromBlock: blocks.count + 1)
    let x = model.recordInput(recorder)
    let factors = (0...levels.steps).map(levels.factors)
    let signals = recorder.constants(factors.map { Float($0.signal) })
    let noises = recorder.constants(factors.map { Float($0.noise) })
    var z = recorder.noise([embedding.width])
    for (index, block) in blocks.enumerated() {
      let guess = embedding.guess(block.record(block.features(x, recorder), z, recorder), recorder)
      z = recorder.posteriorStep(
        guess, z, step: index + 1, signals: signals, noises: noises,
        noise: isNoisy ? recorder.noise([embedding.width]) : nil)
    }
    return classify(z, recorder)
  }

  /// z_t ~ q(z_t | y).
  private func noisy(_ u: Value, step: Int, _ recorder: Recorder) -> Value {
    let factors = levels.factors(step)
    return recorder.add(
      recorder.scale(u, by: Float(factors.signal)),
      recorder.scale(recorder.noise([embedding.width]), by: Float(factors.noise)))
  }

  private func classify(_ z: Value, _ recorder: Recorder) -> Value {
    recorder.scope("out") { out.record(z, recorder) }
  }
}
