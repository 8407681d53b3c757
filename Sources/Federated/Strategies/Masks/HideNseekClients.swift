import Compression
import Datasets
import Tensors

/// A client of the mode `votes`: trains a latent from the server's and uploads its signs.
final class SignVoteClient: ClientHalf {
  private let layout: ParameterLayout
  private let latent: Storage
  private let packed: Storage
  private var frozen: FrozenWeights?
  private let strategy: HideNseek
  private let task: FederatedTask
  private lazy var wire = HideNseekWire(strategy, task)

  init(_ strategy: HideNseek, _ task: FederatedTask, _ plan: FederatedPlan) {
    self.strategy = strategy
    self.task = task
    layout = task.layout
    latent = Storage(zeros: task.layout.parameterCount)
    packed = Storage(zeros: plan.uploads[0].count)
  }

  func update(_ visit: ClientVisit) {
    let frozen = frozen ?? FrozenWeights(visit.broadcast.blocks[0], layout)
    self.frozen = frozen
    let model = visit.trainer.model
    model.parameters.copy(from: visit.broadcast.model.parameters)
    latent.copy(from: visit.broadcast.blocks[1])
    var update = LatentStep<SignForward>(visit.trainer, frozen: frozen.weights.base, latent: latent.base)
    visit.train(model, &update)
    frozen.gather(latent.base, into: packed.base)
    if let bits = visit.upload.bits(0).baseAddress { SignBits.pack(packed.base, count: packed.count, into: bits) }
  }

  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    try wire.take(download, kind, into: broadcast)
    if kind == .whole { frozen = nil }
  }
}

/// A client of the mode `change`: trains a latent from the server's, within what is frozen, and uploads a drawn bit a weight of
/// how it has changed, with the change's root mean square in each layer.
final class SignChangeClient: ClientHalf {
  private let layout: ParameterLayout
  private let seed: UInt64
  private let latent: Storage
  private let packed: Storage
  private var frozen: FrozenWeights?
  private let strategy: HideNseek
  private let task: FederatedTask
  private lazy var wire = HideNseekWire(strategy, task)

  init(_ strategy: HideNseek, _ task: FederatedTask, _ plan: FederatedPlan) {
    self.strategy = strategy
    self.task = task
    layout = task.layout
    seed = task.seed
    latent = Storage(zeros: task.layout.parameterCount)
    packed = Storage(zeros: plan.uploads[0].count)
  }

  func update(_ visit: ClientVisit) {
    let frozen = frozen ?? FrozenWeights(visit.broadcast.blocks[0], layout)
    self.frozen = frozen
    let (model, start) = (visit.trainer.model, visit.broadcast.blocks[1])
    model.parameters.copy(from: visit.broadcast.model.parameters)
    latent.copy(from: start)
    var update = BoundedSignStep(
      frozen: frozen.weights.base, latent: latent.base, clip: visit.trainer.task.local.clip)
    visit.train(model, &update)
    upload(visit, frozen, start)
  }

  private func upload(_ visit: ClientVisit, _ frozen: FrozenWeights, _ start: Storage) {
    guard let bits = visit.upload.bits(0).baseAddress else { return }
    SignChangeClient.subtract(start.base, from: latent.base, latent.count)
    frozen.gather(latent.base, into: packed.base)
    let scales = visit.upload.scalars(1)
    for (layer, places) in frozen.layers.enumerated() {
      let change = packed.base + places.lowerBound
      let scale = (Reductions.squares(change, places.count) / Double(max(1, places.count))).squareRoot()
      scales[layer] = Float(scale)
      VectorMath.scale(change, by: scale > 0 ? Float(1 / scale) : 0, count: places.count)
    }
    let key = CompressionKey(seed: seed, step: visit.round, worker: visit.client, bucket: SignChangeClient.bucket)
    StochasticSign.draw(packed.base, count: packed.count, key: key, into: bits)
  }

  /// A key beside those of compressed uploads.
  private static let bucket = 1 << 40

  @inline(never)
  private static func subtract(_ x: UnsafePointer<Float>, from y: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      y[i] -= x[i]
      i &+= 1
    }
  }

  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    try wire.take(download, kind, into: broadcast)
    if kind == .whole { frozen = nil }
  }
}

/// ω ← clip(ω − rate · ∂L/∂w, ±|w₀|), then w ← |w₀| · sign ω with sign 0 = +1.
struct BoundedSignStep: LocalUpdate {
  let frozen: UnsafePointer<Float>
  let latent: UnsafeMutablePointer<Float>
  let clip: Double?

  func update(_ step: LocalStep) {
    step.clip(to: clip)
    BoundedSignStep.move(
      latent, along: step.gradients, scaledBy: -Float(step.learningRate), within: frozen, into: step.parameters,
      step.count)
  }

  /// latent ← clip(latent + factor · direction, ±|frozen|), effective ← |frozen| · sign latent.  What is not a number stays so.
  @inline(never)
  static func move(
    _ latent: UnsafeMutablePointer<Float>, along direction: UnsafePointer<Float>, scaledBy factor: Float,
    within frozen: UnsafePointer<Float>, into effective: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      let magnitude = abs(frozen[i])
      let moved = latent[i] + factor * direction[i]
      let upper = moved > magnitude ? magnitude : moved
      let clipped = upper < -magnitude ? 0 - magnitude : upper
      latent[i] = clipped
      effective[i] = clipped >= 0 ? magnitude : 0 - magnitude
      i &+= 1
    }
  }
}
