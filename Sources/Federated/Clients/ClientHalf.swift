import Datasets
import Tensors

/// What a client does in a round: one worker's, visiting one client after the other.
public protocol ClientHalf: AnyObject {
  /// Trains from the broadcast and fills the upload of the visit; what the client remembers may change.
  func update(_ visit: ClientVisit)

  /// The model that the client itself would use, trained or put together from the broadcast and what it remembers; valid until
  /// the next visit.  Nothing is uploaded or remembered.
  func personal(_ visit: ClientVisit) -> ParameterStore

  /// Sums of losses and correct terms over samples in the batch, by a model, or by what a strategy has in place of one.
  func evaluate(_ batch: Batch, _ model: ParameterStore, _ visit: ClientVisit) -> Evaluation

  /// What a visit uploads, as it travels: as many bytes as the ledger counts.  What the parts point to stays until the next
  /// visit.
  func packed(_ visit: ClientVisit) -> [SafetensorsWriter.Part]

  /// Takes what ``ServerHalf/download(_:sent:_:)`` has made.  Throws for what no server makes, and then nothing has changed.
  func take(_ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan)
    throws(DataError)
}

extension ClientHalf {
  /// The model as a round's training leaves it.
  public func personal(_ visit: ClientVisit) -> ParameterStore {
    update(visit)
    return visit.trainer.model
  }

  /// The parts as they are.
  public func packed(_ visit: ClientVisit) -> [SafetensorsWriter.Part] { visit.upload.packed }

  /// The shared scalars of the model, what else is sent of it, and all blocks.
  public func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    try broadcast.take(download, plan, kind)
  }

  /// The model's own outputs.
  public func evaluate(_ batch: Batch, _ model: ParameterStore, _ visit: ClientVisit) -> Evaluation {
    visit.trainer.evaluate(batch, model)
  }
}

/// Sums over samples.
public struct Evaluation: Sendable, Hashable {
  /// Sum of losses.
  public var loss: Double
  /// Correct terms.
  public var correct: Double

  /// Some sums.
  public init(loss: Double = 0, correct: Double = 0) {
    self.loss = loss
    self.correct = correct
  }

  /// Adds the sums over other samples.
  mutating func add(_ other: Evaluation) {
    loss += other.loss
    correct += other.correct
  }
}

/// One client in one round, as its half sees it.
public final class ClientVisit {
  /// Who it is.
  public internal(set) var client = 0
  /// Rounds before this one.
  public internal(set) var round = 0
  /// Passes over its samples.
  public internal(set) var epochs = 1
  /// Its learning rate.
  public internal(set) var learningRate = 0.0
  /// What the server has sent.
  public internal(set) var broadcast: Broadcast
  /// What travels.
  public let plan: FederatedPlan
  /// What computes.
  public let trainer: LocalTrainer
  /// What it uploads.
  public let upload: Upload
  /// What it remembers: zeros at its first visit.
  public let state: UnsafeMutableBufferPointer<Float>
  /// What compression left out of its changes: zeros at its first visit.
  let residual: UnsafeMutableBufferPointer<Float>
  /// Both, as they are kept.
  let memory: UnsafeMutableBufferPointer<Float>
  /// Whether it has been visited before.
  public internal(set) var isKnown = false
  /// What its training came to.
  public var outcome = LocalOutcome()
  /// Bytes of its upload, where they are not those of the plan.
  public var wireBytes: Int?

  init(_ broadcast: Broadcast, _ plan: FederatedPlan, _ trainer: LocalTrainer) {
    self.broadcast = broadcast
    self.plan = plan
    self.trainer = trainer
    upload = Upload(plan.uploads)
    memory = .allocate(capacity: plan.memoryCount)
    memory.initialize(repeating: 0)
    state = UnsafeMutableBufferPointer(rebasing: memory[..<plan.stateCount])
    residual = UnsafeMutableBufferPointer(rebasing: memory[plan.stateCount...])
  }

  deinit { memory.deallocate() }

  /// The client's samples.
  public var samples: Int { trainer.samples.count }

  /// Trains a model from where it stands, for the visit's passes.
  public func train(_ model: ParameterStore, _ update: inout some LocalUpdate) {
    outcome = trainer.train(model, self, epochs: epochs, &update)
  }

  /// Trains the worker's model from the shared scalars of the broadcast with the task's optimizer, gradients corrected.
  public func trainFromBroadcast(_ correction: some GradientCorrection) {
    plan.shared.copy(broadcast.model, into: trainer.model)
    var update = OptimizerUpdate(trainer, correction)
    train(trainer.model, &update)
  }

  /// Part 0 of the upload ← what training has changed of the shared scalars.
  public func uploadChange() {
    guard let change = upload.scalars(0).baseAddress else { return }
    plan.shared.difference(of: trainer.model, from: broadcast.model, into: change)
  }
}
