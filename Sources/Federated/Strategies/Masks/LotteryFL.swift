import Compression
import Configuration
import Datasets
import Layers
import Tensors

/// LotteryFL (Li, Sun, Wang, Duan, Li, Chen, Li, SEC 2021): each client looks for the lottery ticket of its own data, a mask under
/// which it trains the weights of the server, and the server averages each weight over the clients that keep it.
///
/// After the authors' code: a client scores the server's model under its mask; if that is more accurate than `threshold` and
/// its density is above the target, it prunes the smallest `prune` of the live weights of each layer and trains from the
/// initial weights, else from the server's.  Server: w ← mean over clients that keep it, where none does the old value.
/// Deviation: clients score on their training samples, since nothing else of theirs is known here.
///
/// Up: 4 bytes for each scalar that the client keeps, and a bit for each weight that says which, so that the server needs to
/// remember no client's mask.  Down: the model, 4 bytes a scalar, the same to all clients, whatever they keep; initial weights
/// are a function of the seed, or sent with the model to clients that did not take part in the round before.  Biases and
/// normalisation are trained and never pruned.  All clients count alike.
public struct LotteryFL: FederatedStrategy {
  /// The name in configurations.
  public static let name = "lotteryfl"
  /// What it does.
  public static let help = "clients prune towards their own tickets and train those; weights are averaged among keepers"
  /// Name of the tensor of the initial parameters.
  static let initial = "initial"
  let density: Double
  let threshold: Double
  let prune: Double

  /// Reads when and how far to prune.
  public init(options: inout Options) throws(ConfigurationError) {
    density = try options.density(default: 0.1)
    threshold = try options.number(
      "threshold", default: 0.2, in: .fraction, "accuracy on its own samples above which a client prunes further")
    prune = try options.number(
      "prune", default: 0.2, in: .fractionBelowOne, "share of a layer's live weights that is pruned at once")
  }

  /// The change and the mask up; a bit a weight to remember.  Throws where there is no accuracy to prune by.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    guard task.objective.loss == .crossEntropy else {
      throw FederatedError(
        .configuration, "lotteryfl prunes by accuracy; it needs classes, and cross-entropy as training.loss")
    }
    let (shared, count) = (SharedScalars(task.layout), task.layout.parameterCount)
    var plan = FederatedPlan(
      shared: shared, uploads: [.change(count: shared.count), UploadPart("mask", .votes, count: count)],
      blocks: [BroadcastBlock("initial", count: count, bytes: 0)], stateCount: (SignBits.byteCount(count) + 3) / 4,
      weighting: .clients)
    if !task.startsFromSeed { plan.downloadBytes.other += 4 * count }
    return plan
  }

  /// Prunes and trains.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    LotteryClient(self, task, plan)
  }

  /// Averages among keepers.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    LotteryServer(task, plan, broadcast)
  }
}

/// Gradients of weights under a mask: those of pruned ones are 0, so that they stay what they are.
private struct MaskedGradients: GradientCorrection {
  let mask: UnsafePointer<Float>

  func correct(_ step: LocalStep) { MaskedGradients.multiply(step.gradients, by: mask, step.count) }

  @inline(never)
  static func multiply(_ x: UnsafeMutablePointer<Float>, by y: UnsafePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      x[i] *= y[i]
      i &+= 1
    }
  }
}

private final class LotteryClient: ClientHalf {
  private let strategy: LotteryFL
  private let task: FederatedTask
  private let count: Int
  private let weights: PruningMask
  /// 1 for scalars that are kept, else 0.
  private let mask: Storage
  private let batch: Batch
  private let wire: LotteryWire
  /// Whether the initial weights are there, at a client elsewhere.
  private var knowsInitial = false

  init(_ strategy: LotteryFL, _ task: FederatedTask, _ plan: FederatedPlan) {
    self.strategy = strategy
    self.task = task
    count = task.layout.parameterCount
    weights = PruningMask(task.layout)
    mask = Storage(zeros: count)
    batch = Batch(capacity: min(256, max(1, task.partition.largest)), of: task.training)
    wire = LotteryWire(task, plan)
  }

  func update(_ visit: ClientVisit) {
    guard let state = visit.state.baseAddress, let bits = visit.upload.bits(1).baseAddress else { return }
    let model = visit.trainer.model
    let received = start(visit, state)
    let prunes =
      Double(received - frozenCount) > strategy.density * Double(weights.prunableCount)
      && accuracy(visit) > strategy.threshold
    if prunes { prune(model, to: visit.broadcast.blocks[0]) }
    train(visit)
    visit.uploadChange()
    if let change = visit.upload.scalars(0).baseAddress { MaskedGradients.multiply(change, by: mask.base, count) }
    let kept = Int(Reductions.sum(mask.base, count))
    let states = visit.plan.shared.count - count
    visit.wireBytes = 4 * (kept + states) + weights.byteCount
    for i in 0..<count { mask.base[i] = mask.base[i] > 0 ? 1 : -1 }
    SignBits.pack(mask.base, count: count, into: bits)
    SignBits.pack(mask.base, count: count, into: state)
  }

  func packed(_ visit: ClientVisit) -> [SafetensorsWriter.Part] { wire.packed(visit.upload) }

  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    let initial = broadcast.blocks[0]
    let sent =
      plan.sendsOwn(kind) ? try download.bytes(LotteryFL.initial, .float32, count: initial.count) : nil
    try broadcast.take(download, plan, kind)
    if let sent {
      UnsafeMutableRawBufferPointer(initial.scalars).copyMemory(from: sent)
    } else if task.startsFromSeed, !knowsInitial {
      let model = ParameterStore(task.layout)
      task.layout.initialise(model, seed: task.seed)
      initial.copy(from: model.parameters)
      knowsInitial = true
    }
  }

  /// The server's model under the client's mask, trained; its mask is as it was.
  func personal(_ visit: ClientVisit) -> ParameterStore {
    if let state = visit.state.baseAddress { _ = start(visit, state) }
    train(visit)
    return visit.trainer.model
  }

  /// Scalars that are never pruned.
  private var frozenCount: Int { count - weights.prunableCount }

  /// Makes the server's model under the client's mask the worker's; returns the scalars that it keeps.
  private func start(_ visit: ClientVisit, _ state: UnsafePointer<Float>) -> Int {
    mask.clear()
    if visit.isKnown {
      SignBits.add(state, count: count, positive: 1, negative: 0, to: mask.base)
    } else {
      mask.base.update(repeating: 1, count: count)
    }
    visit.plan.shared.copy(visit.broadcast.model, into: visit.trainer.model)
    MaskedGradients.multiply(visit.trainer.model.parameters.base, by: mask.base, count)
    return Int(Reductions.sum(mask.base, count))
  }

  private func train(_ visit: ClientVisit) {
    var update = OptimizerUpdate(visit.trainer, MaskedGradients(mask: mask.base))
    visit.train(visit.trainer.model, &update)
  }

  /// Accuracy of the worker's model on the client's samples.
  private func accuracy(_ visit: ClientVisit) -> Double {
    let trainer = visit.trainer
    var correct = 0.0
    var first = 0
    while first < trainer.samples.count {
      let end = min(first + batch.capacity, trainer.samples.count)
      batch.fill(from: task.training, samples: trainer.samples[first..<end], epoch: 0)
      correct += trainer.evaluate(batch, trainer.model).correct
      first = end
    }
    return correct / Double(trainer.samples.count * task.training.termsPerSample)
  }

  /// Prunes the smallest live weights of each layer, then starts over from the initial ones.
  private func prune(_ model: ParameterStore, to initial: Storage) {
    var kept = weights
    for i in 0..<count where mask.base[i] == 0 { kept[i] = false }
    let scores = [Double](unsafeUninitializedCapacity: count) { scores, filled in
      for i in 0..<count { scores[i] = Double(abs(model.parameters.base[i])) }
      filled = count
    }
    for range in weights.prunable {
      let live = kept.keptCount(in: range)
      Pruning.keep(live - Int(strategy.prune * Double(live)), of: &kept, [range], scores)
    }
    for i in 0..<count { mask.base[i] = kept[i] ? 1 : 0 }
    model.parameters.copy(from: initial)
    MaskedGradients.multiply(model.parameters.base, by: mask.base, count)
  }
}

private final class LotteryServer: ServerHalf {
  private let plan: FederatedPlan
  private let broadcast: Broadcast
  private let wire: LotteryWire

  init(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) {
    self.plan = plan
    self.broadcast = broadcast
    wire = LotteryWire(task, plan)
  }

  func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    let model = sent.parts(plan, kind)
    if !plan.sendsOwn(kind) { return model }
    let initial = sent.blocks[0]
    return model + [SafetensorsWriter.Part(name: LotteryFL.initial, shape: [initial.count], floats: initial.base)]
  }

  func unpack(_ packed: SafetensorsView, samples: Int, into upload: Upload) throws(DataError) {
    try wire.unpack(packed, into: upload)
  }

  func prepare(_ workers: Workers, _ note: (String) -> Void) {
    broadcast.blocks[0].copy(from: broadcast.model.parameters)
  }

  func combine(_ outcome: RoundOutcome) {
    let (change, masks) = (outcome.mean(0), outcome.votes(1))
    let ballots = Int32(masks.ballots)
    // The mean is over all clients, of whom those that do not keep a weight have sent zeros.
    for i in 0..<masks.count {
      let keepers = (masks.votes[i] + ballots) / 2
      if keepers > 0, keepers < ballots { change[i] = Float(Double(change[i]) * Double(ballots) / Double(keepers)) }
    }
    plan.shared.add(change, to: broadcast.model)
  }
}
