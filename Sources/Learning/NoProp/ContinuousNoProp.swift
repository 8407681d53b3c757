import Layers
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// A model that denoises labels at any time of [0, 1] with one network (see ``NoProp``).
struct ContinuousNoProp: ModelLearning {
  /// The two forms there are.
  enum Form: Sendable {
    /// The network guesses the label; the schedule of noise is learned, `[3, hidden]`.
    case diffusion(schedule: Parameter)
    /// The network guesses the velocity from noise to label.
    case flow
  }

  /// γ at time 1 and at time 0, where ᾱ = σ(−γ).
  static let ends = (last: -7.0, first: 7.0)

  let model: Model
  let objective: Objective
  let form: Form
  let network: DenoisingNetwork
  let embedding: LabelEmbedding
  let out: LinearLayer
  let eta: Double
  let isNoisy: Bool
  /// Steps of inference.
  let steps: Int

  func record(_ recorder: Recorder, phase: Int) {
    recorder.reserveReport(2)
    let (segment, losses) = recorder.segment {
      let u = embedding.record(objective.recordTargets(recorder), recorder)
      let features = network.features(model.recordInput(recorder), recorder)
      return switch form {
      case .diffusion(let schedule): diffusionLosses(features, u, recorder.parameter(schedule), recorder)
      case .flow: flowLosses(features, u, recorder)
      }
    }
    recorder.differentiate(segment, losses: losses)
  }

  /// ½ η SNR′(t) ‖û(z_t, x, t) − u‖², the cross entropy of `out` at z_1, and the part of the divergence at z_0 that depends
  /// on embeddings.  Reports the cross entropy of the network's guess.
  private func diffusionLosses(_ features: Value, _ u: Value, _ schedule: Value, _ recorder: Recorder) -> [Value] {
    let times = recorder.randomTimes().times
    let curve = recorder.noiseSchedule(times, schedule, from: Self.ends.first, to: Self.ends.last)
    let z = recorder.add(
      recorder.scaleRows(u, by: curve.signal), recorder.scaleRows(recorder.noise([embedding.width]), by: curve.noise))
    let logits = network.record(features, z, times: times, recorder)
    let difference = recorder.add(embedding.guess(logits, recorder), recorder.scale(u, by: -1))
    let weighted = recorder.squaredNorm(recorder.scaleRows(difference, by: curve.slope), weight: Float(eta / 2))
    _ = recorder.reporting { objective.record(logits, recorder) }

    // ᾱ at time 1 and at time 0, where the schedule is what it is.
    let (clean, pure) = (1 / (1 + exp(Self.ends.last)), 1 / (1 + exp(Self.ends.first)))
    let end = recorder.add(
      recorder.scale(u, by: Float(clean.squareRoot())),
      recorder.scale(recorder.noise([embedding.width]), by: Float((1 - clean).squareRoot())))
    let entropy = objective.record(classify(end, recorder), recorder)
    let divergence =
      embedding.weight == nil ? [] : [recorder.squaredNorm(u, weight: Float(pure / 2))]
    return [weighted, entropy] + divergence
  }

  /// ‖v(z_t, x, t) − (u − z_0)‖² and the cross entropy of `out` at z_t + (1 − t) v, which is reported.
  private func flowLosses(_ features: Value, _ u: Value, _ recorder: Recorder) -> [Value] {
    let (times, left) = recorder.randomTimes()
    let start = recorder.noise([embedding.width])
    let z = recorder.add(recorder.scaleRows(u, by: times), recorder.scaleRows(start, by: left))
    let velocity = network.record(features, z, times: times, recorder)
    let difference = recorder.add(recorder.add(velocity, recorder.scale(u, by: -1)), start)
    let reached = recorder.add(z, recorder.scaleRows(velocity, by: left))
    return [
      recorder.squaredNorm(difference),
      recorder.reporting { objective.record(classify(reached, recorder), recorder) },
    ]
  }

  func recordOutputs(_ recorder: Recorder) -> Value {
    let features = network.features(model.recordInput(recorder), recorder)
    var z = recorder.noise([embedding.width])
    let grid = (0...steps).map { Float($0) / Float(steps) }
    func guess(_ step: Int) -> Value {
      let times = recorder.constants([Float](repeating: grid[step], count: recorder.batch))
      return network.record(features, z, times: times, recorder)
    }
    switch form {
    case .diffusion(let schedule):
      let curve = recorder.noiseSchedule(
        recorder.constants(grid), recorder.parameter(schedule), from: Self.ends.first, to: Self.ends.last)
      for step in 1...steps {
        z = recorder.posteriorStep(
          embedding.guess(guess(step - 1), recorder), z, step: step, signals: curve.signal, noises: curve.noise,
          noise: isNoisy ? recorder.noise([embedding.width]) : nil)
      }
    case .flow:
      for step in 0..<steps { z = recorder.add(z, recorder.scale(guess(step), by: 1 / Float(steps))) }
    }
    return classify(z, recorder)
  }

  private func classify(_ z: Value, _ recorder: Recorder) -> Value {
    recorder.scope("out") { out.record(z, recorder) }
  }
}
