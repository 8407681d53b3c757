import Configuration
import Datasets
import Tensors

/// The server of ``HideNseek``: draws and prunes the network, then moves latents by votes.  Broadcast: the effective weights,
/// beside them w₀ · g and the latents.
final class HideNseekServer: ServerHalf {
  private let strategy: HideNseek
  private let task: FederatedTask
  private let broadcast: Broadcast
  private let step: Storage
  private var weights: FrozenWeights?
  private let wire: HideNseekWire

  init(_ strategy: HideNseek, _ task: FederatedTask, _ broadcast: Broadcast) {
    self.strategy = strategy
    self.task = task
    self.broadcast = broadcast
    step = Storage(zeros: task.layout.parameterCount)
    wire = HideNseekWire(strategy, task)
  }

  /// What followers are sent.
  var memory: [ServerMemory] { [ServerMemory("told", wire.told)] }

  /// What is kept of the weights, once the broadcast says so.
  private var kept: FrozenWeights {
    let kept = weights ?? FrozenWeights(frozen, task.layout)
    weights = kept
    return kept
  }

  private var frozen: Storage { broadcast.blocks[0] }
  private var latent: Storage { broadcast.blocks[1] }

  func prepare(_ workers: Workers, _ note: (String) -> Void) throws(FederatedError) {
    let model = broadcast.model
    KaimingNormal.write(model, seed: task.seed)
    do throws(ConfigurationError) {
      let mask = try strategy.criterion.prune(model, density: strategy.density, task)
      mask.apply(to: model.parameters.base)
      note(mask.summary(task.layout))
    } catch { throw FederatedError(.configuration, error.message) }
    frozen.copy(from: model.parameters)
    switch strategy.mode {
    case .change: latent.copy(from: frozen)
    case .votes:
      for i in 0..<latent.count { latent.base[i] = frozen.base[i] == 0 ? 0 : strategy.alpha }
    }
    wire.begin()
  }

  func combine(_ outcome: RoundOutcome) {
    let sum = outcome.votes(0)
    if strategy.mode == .change {
      wire.tell(sum, scales: outcome.mean(1))
      return move(kept, sum, outcome.mean(1))
    }
    let (votes, unit) = (sum.votes, Double(strategy.alpha) / Double(sum.ballots))
    for (place, index) in kept.indices.enumerated() {
      let vote = votes[place]
      switch strategy.tally {
      case .soft: latent.base[Int(index)] = Float(Double(vote) * unit)
      case .hard: if vote != 0 { latent.base[Int(index)] = vote > 0 ? strategy.alpha : -strategy.alpha }
      }
    }
    switch strategy.tally {
    case .soft: wire.tell(sum, scales: nil)
    case .hard: wire.tellSigns(latent, kept)
    }
    SignForward.apply(latent.base, frozen.base, into: broadcast.model.parameters.base, latent.count)
  }

  func skip() { wire.skip() }

  func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    wire.download(kind, latent, kept)
  }

  func unpack(_ packed: SafetensorsView, samples: Int, into upload: Upload) throws(DataError) {
    try upload.copy(from: packed)
    if strategy.mode == .change, upload.scalars(1).contains(where: { $0 < 0 }) {
      throw packed.unsuitable(upload.parts[1].name, "has a scale that is no length")
    }
  }

  /// ω ← clip(ω + A · Σ b / m, ±|w₀|) with A the clients' mean scale of the layer.
  private func move(_ kept: FrozenWeights, _ sum: VoteSum, _ scales: UnsafePointer<Float>) {
    let votes = sum.votes
    for (layer, places) in kept.layers.enumerated() {
      let unit = Double(scales[layer]) / Double(sum.ballots)
      for place in places { step.base[Int(kept.indices[place])] = Float(Double(votes[place]) * unit) }
    }
    BoundedSignStep.move(
      latent.base, along: step.base, scaledBy: 1, within: frozen.base, into: broadcast.model.parameters.base,
      latent.count)
  }
}

extension PruningMask {
  /// What is kept of each layer, for people.
  func summary(_ layout: ParameterLayout) -> String {
    let layers = layout.parameters.filter { $0.shape.rank > 1 }.map { parameter in
      "\(parameter.name) \(keptCount(in: parameter.range)) of \(parameter.range.count)"
    }
    return "kept \(keptCount) of \(prunableCount) weights: " + layers.joined(separator: ", ")
  }
}
