import Compression
import Configuration
import Datasets
import Tensors

/// FedMask (Li, Sun, Li, Pu, Li, Chen, SenSys 2021): clients learn masks of 0 and 1 on weights that are drawn by the seed and never
/// trained; each at first prunes its own network, once, and the server averages entries that several clients have.
///
/// The paper itself was not at hand; this follows a public reimplementation and says where it fills in:
///
/// - A client trains a latent s in w = w₀ · 1[sigmoid s > ½] with the task's optimizer on ∂L/∂w · w₀, straight through.
/// - At the end of its first round it keeps the ⌈ρn⌉ entries with the greatest s of each layer, for ever.
/// - Server: an entry that at least two clients of a round have is worth the share of them that have it set.
/// - Ours: a client starts from s = α (2 share − 1) where there is a share, else from ± α by its own mask; unseen ones from α.
///   The server's model, which is evaluated, has entries set whose share is above ½ or unknown.
///
/// Up: a bit for each weight that says whether the client has it, so that the server needs to remember no client's mask, and a
/// bit for each entry that it has.  Down: for each weight a share, which is one of (M+1)(M+2)/2 values of ⌈log₂⌉ bits, M the
/// largest cohort; the same to all clients, whatever they have.  All clients count alike.
public struct FedMask: FederatedStrategy {
  /// The name in configurations.
  public static let name = "fedmask"
  /// What it does.
  public static let help = "clients prune for themselves and learn masks of frozen weights, averaged where they overlap"
  let density: Double
  let alpha: Float

  /// Reads the density.
  public init(options: inout Options) throws(ConfigurationError) {
    density = try options.density()
    alpha = Float(
      try options.number("alpha", default: 1, in: .positive, "the latent of an entry that all clients have set"))
  }

  /// Two bits a weight up and to remember; throws for models with more than weights.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    try FrozenWeights.check(task, FedMask.name)
    guard task.largestCohort <= FedMaskWire.largestCohort else {
      throw FederatedError(
        .configuration,
        "fedmask tells shares of at most \(FedMaskWire.largestCohort) clients, and a round may have "
          + "\(task.largestCohort); lower federated.cohort or draw cohorts of a fixed size")
    }
    let count = task.layout.parameterCount
    let shares = BroadcastBlock("shares", count: count, bytes: FedMaskWire.shareBytes(task))
    var plan = FederatedPlan(
      shared: SharedScalars(task.layout),
      uploads: [UploadPart("set", .votes, count: count), UploadPart("held", .votes, count: count)],
      blocks: [BroadcastBlock("frozen", count: count, bytes: 0), shares], stateCount: 2 * FedMask.words(count),
      weighting: .clients)
    // The model follows from shares.
    plan.downloadBytes = (shares.bytes, shares.bytes)
    return plan
  }

  /// Trains masks.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    FedMaskClient(self, task)
  }

  /// Averages entries.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    FedMaskServer(task, broadcast)
  }

  /// Floats that hold a bit for each of `count` weights.
  static func words(_ count: Int) -> Int { (SignBits.byteCount(count) + 3) / 4 }
}

private final class FedMaskClient: ClientHalf {
  private let strategy: FedMask
  private let task: FederatedTask
  private let count: Int
  private let latent: Storage
  /// 1 for entries that the client has, else 0.
  private let held: Storage
  /// Its own mask; afterwards scratch.
  private let own: Storage
  private let weights: Storage
  private let wire: FedMaskWire

  init(_ strategy: FedMask, _ task: FederatedTask) {
    self.strategy = strategy
    self.task = task
    count = task.layout.parameterCount
    latent = Storage(zeros: count)
    held = Storage(zeros: count)
    own = Storage(zeros: count)
    weights = Storage(zeros: count)
    wire = FedMaskWire(task)
  }

  func update(_ visit: ClientVisit) {
    guard let state = visit.state.baseAddress else { return }
    let (model, frozen) = (visit.trainer.model, visit.broadcast.blocks[0])
    recall(state, isKnown: visit.isKnown)
    FedMaskClient.start(
      latent.base, shares: visit.broadcast.blocks[1].base, held: held.base, own: own.base, alpha: strategy.alpha, count)
    prepare(frozen, model)
    var step = LatentStep<GateForward>(visit.trainer, frozen: weights.base, latent: latent.base)
    visit.train(model, &step)
    if !visit.isKnown {
      prune()
      prepare(frozen, model)
    }
    let kept = Int(Reductions.sum(held.base, count))
    visit.wireBytes = SignBits.byteCount(kept) + SignBits.byteCount(count)
    upload(visit, state)
  }

  func packed(_ visit: ClientVisit) -> [SafetensorsWriter.Part] { wire.packed(visit.upload) }

  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    try wire.take(download, into: broadcast)
  }

  /// What the client remembers of its entries; all of them, and all set, where it is new.
  private func recall(_ state: UnsafePointer<Float>, isKnown: Bool) {
    for (part, values) in [held, own].enumerated() {
      values.clear()
      if isKnown {
        SignBits.add(state + part * FedMask.words(count), count: count, positive: 1, negative: 0, to: values.base)
      } else {
        values.base.update(repeating: 1, count: count)
      }
    }
  }

  /// The model of the entries that the client has.
  private func prepare(_ frozen: Storage, _ model: ParameterStore) {
    for i in 0..<count { weights.base[i] = held.base[i] * frozen.base[i] }
    GateForward.apply(latent.base, weights.base, into: model.parameters.base, count)
  }

  /// Keeps the greatest latents of each layer.
  private func prune() {
    var mask = PruningMask(task.layout)
    let scores = [Double](unsafeUninitializedCapacity: count) { scores, filled in
      for i in 0..<count { scores[i] = Double(latent.base[i]) }
      filled = count
    }
    for range in mask.prunable {
      Pruning.keep(Pruning.keptCount(of: range.count, density: strategy.density), of: &mask, [range], scores)
    }
    for i in 0..<count { held.base[i] = mask[i] ? 1 : 0 }
  }

  /// Packs both bits of every weight, for the server and to remember.
  private func upload(_ visit: ClientVisit, _ state: UnsafeMutablePointer<Float>) {
    for i in 0..<count {
      own.base[i] = held.base[i] > 0 && latent.base[i] > 0 ? 1 : -1
      held.base[i] = held.base[i] > 0 ? 1 : -1
    }
    for (part, values) in [own, held].enumerated() {
      if let bits = visit.upload.bits(part).baseAddress { SignBits.pack(values.base, count: count, into: bits) }
    }
    SignBits.pack(held.base, count: count, into: state)
    SignBits.pack(own.base, count: count, into: state + FedMask.words(count))
  }

  @inline(never)
  private static func start(
    _ latent: UnsafeMutablePointer<Float>, shares: UnsafePointer<Float>, held: UnsafePointer<Float>,
    own: UnsafePointer<Float>, alpha: Float, _ count: Int
  ) {
    var i = 0
    while i < count {
      let share = shares[i] < 0 ? own[i] : shares[i]
      latent[i] = alpha * (2 * held[i] * share - 1)
      i &+= 1
    }
  }
}

/// Broadcast: the effective weights, beside them the frozen ones and each entry's share, −1 where it is not known.
private final class FedMaskServer: ServerHalf {
  private let task: FederatedTask
  private let broadcast: Broadcast
  private let wire: FedMaskWire
  /// What shares are fractions of, as ``FedMaskWire`` numbers them: the bits of a UInt32 for each weight.
  private let codes: Storage

  init(_ task: FederatedTask, _ broadcast: Broadcast) {
    self.task = task
    self.broadcast = broadcast
    wire = FedMaskWire(task)
    codes = Storage(zeros: task.layout.parameterCount)
  }

  /// What clients are sent.
  var memory: [ServerMemory] { [ServerMemory("codes", codes)] }

  func prepare(_ workers: Workers, _ note: (String) -> Void) {
    KaimingNormal.write(broadcast.model, seed: task.seed)
    broadcast.blocks[0].copy(from: broadcast.model.parameters)
    broadcast.blocks[1].base.update(repeating: -1, count: broadcast.blocks[1].count)
  }

  func combine(_ outcome: RoundOutcome) {
    let (set, held) = (outcome.votes(0), outcome.votes(1))
    let (frozen, shares, ballots) = (broadcast.blocks[0].base, broadcast.blocks[1].base, Int32(held.ballots))
    for i in 0..<held.count {
      let holders = (held.votes[i] + ballots) / 2
      let setters = (set.votes[i] + ballots) / 2
      if holders >= 2 {
        shares[i] = Float(setters) / Float(holders)
        codes.base[i] = Float(bitPattern: FedMaskWire.code(UInt32(setters), of: UInt32(holders)))
      }
    }
    FedMaskWire.gate(frozen, by: shares, into: broadcast.model.parameters.base, held.count)
  }

  func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    [wire.packed(codes)]
  }

  func unpack(_ packed: SafetensorsView, samples: Int, into upload: Upload) throws(DataError) {
    try wire.unpack(packed, into: upload)
  }
}
