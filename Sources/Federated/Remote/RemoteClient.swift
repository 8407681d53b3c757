import Datasets
import Layers
import Synchronization
import Tensors

/// What takes part in a federation whose server is elsewhere: it takes downloads, trains on order, and lets go of uploads.
public protocol VisitingClient: AnyObject {
  /// Samples that it has.
  var samples: Int { get }
  /// Loss terms of a sample.
  var termsPerSample: Int { get }
  /// Bytes that what the server sends before a round can have at most, as a file.
  var largestDownload: Int { get }
  /// Takes what the server sends before a round, counted from 0.
  func take(_ download: SafetensorsView, _ kind: DownloadKind, round: Int) throws(DataError)
  /// Trains as ordered.
  func visit(_ order: VisitOrder) throws(FederatedError) -> VisitReport
  /// Ends a visit that is on in another thread as soon as it can be; what it came to is of no use.
  func cancel()
  /// The upload of the last visit as tensors that travel; valid until the next.
  var packed: [SafetensorsWriter.Part] { get }
  /// What it remembers, should its last visit count.
  var memory: UnsafeBufferPointer<Float> { get }
  /// How much that is.
  var memoryCount: Int { get }
  /// How uploads are masked; nil where they are not.
  var masking: (options: SecureAggregationOptions, words: Int)? { get }
  /// Writes the upload of the last visit as integers that are masked and summed.  False where it cannot be summed.
  func quantise(_ order: VisitOrder, into words: UnsafeMutableBufferPointer<UInt64>) -> Bool
  /// Why an order is not one of the federation that the client takes part in; nil where it is.  `clients` are those of a masked
  /// round, nil where uploads are not masked.
  func refusal(of order: VisitOrder, among clients: Int?) -> String?
  /// Makes `memory` what it remembers.
  func remember(_ memory: UnsafeBufferPointer<Float>) throws(FederatedError)
}

extension VisitingClient {
  /// Visits that take no time end by themselves.
  public func cancel() {}
  /// Not at all.
  public var masking: (options: SecureAggregationOptions, words: Int)? { nil }
  /// Nothing.
  public func quantise(_ order: VisitOrder, into words: UnsafeMutableBufferPointer<UInt64>) -> Bool { false }
  /// Any order will do.
  public func refusal(of order: VisitOrder, among clients: Int?) -> String? { nil }
}

/// One client of a federation whose server is elsewhere: it holds what it was sent, trains on order, and keeps what it
/// remembers until the server says that its update counts.
public final class RemoteClient: VisitingClient {
  /// What is trained.
  public let task: FederatedTask
  /// What travels.
  public let plan: FederatedPlan
  /// Who it is.
  public let client: Int
  let setting: FederatedSetting
  /// The cohorts of the federation's rounds, which whoever knows the configuration can draw.
  let cohort: Cohort
  private let worker: ClientWorker
  private let stages: RoundStages
  private let states: ClientStates?
  /// Whether the change of the last visit was not clipped.
  private var isWhole = false

  /// A client that has not been sent anything yet.
  public init(_ task: FederatedTask, _ strategy: any FederatedStrategy, _ setting: FederatedSetting, client: Int)
    throws(FederatedError)
  {
    self.task = task
    self.client = client
    plan = try FederatedEngine.plan(task, strategy, setting)
    self.setting = setting
    cohort = Cohort(task, setting, weighting: plan.weighting ?? setting.weighting ?? plan.usualWeighting)
    let broadcast = Broadcast(ParameterStore(task.layout), plan.blocks)
    if task.startsFromSeed { task.layout.initialise(broadcast.model, seed: task.seed) }
    stages = try RoundStages(setting, task, plan, broadcast, isClient: true)
    worker = ClientWorker(
      task, plan, strategy.makeClient(task, plan),
      ClientVisit(broadcast, plan, LocalTrainer(task, strategy.programs(task))), stages.uploadStages())
    states =
      plan.memoryCount == 0
      ? nil : ClientStates(floats: plan.memoryCount, memoryLimit: .max, spillDirectory: nil)
  }

  /// Samples of the client.
  public var samples: Int { task.partition.count(of: client) }

  /// Loss terms of a sample.
  public var termsPerSample: Int { task.training.termsPerSample }

  /// What the plan declares, in the widest type, and room for names.
  public var largestDownload: Int {
    let layout = task.layout
    let scalars = plan.blocks.reduce(layout.parameterCount + layout.stateCount) { $0 + $1.count }
    let tensors = layout.parameters.count + layout.states.count + plan.blocks.count
    return 8 * scalars + 512 * (tensors + 8) + (64 << 10)
  }

  /// Floats that the client remembers.
  public var memoryCount: Int { plan.memoryCount }

  /// Takes what the server sends before a round, counted from 0; a `.step` is from what was taken in the round before.  Throws
  /// for what no server makes, and then the client holds what it held.
  public func take(_ download: SafetensorsView, _ kind: DownloadKind, round: Int) throws(DataError) {
    try stages.take(download, kind, round: round, into: worker.visit.broadcast, worker.half)
  }

  /// Trains as ordered.  What is uploaded is ``packed`` then, and what the client would remember ``memory``.
  public func visit(_ order: VisitOrder) throws(FederatedError) -> VisitReport {
    if let norm = order.changeLimit { stages.limit?.norm = norm }
    worker.visit.trainer.isCancelled.store(false, ordering: .relaxed)
    let record = try worker.train(
      client, round: order.round, epochs: order.epochs, learningRate: order.learningRate, states)
    isWhole = record.isWhole
    return VisitReport(record)
  }

  /// Ends a visit that is on in another thread after its present batch.
  public func cancel() { worker.visit.trainer.isCancelled.store(true, ordering: .relaxed) }

  /// The upload of the last visit as tensors that travel; valid until the next.
  public var packed: [SafetensorsWriter.Part] { worker.packed }

  /// How uploads are masked; nil where they are not.
  public var masking: (options: SecureAggregationOptions, words: Int)? {
    setting.secureAggregation.map { ($0, MaskedLayout(plan).words) }
  }

  /// Writes the upload of the last visit as integers that are masked and summed.  False where it cannot be summed.
  public func quantise(_ order: VisitOrder, into words: UnsafeMutableBufferPointer<UInt64>) -> Bool {
    let visit = worker.visit
    guard order.weight >= 0, order.totalWeight >= max(1, order.weight), order.totalWeight <= 1 << 54 else {
      return false
    }
    return MaskedLayout(plan).quantise(
      visit.upload, visit.outcome, isWhole: isWhole, weight: order.weight,
      FixedPointScale(totalWeight: order.totalWeight), into: words)
  }

  /// What the client remembers, should its last visit count.
  public var memory: UnsafeBufferPointer<Float> { UnsafeBufferPointer(worker.visit.memory) }

  /// Makes `memory` what the client remembers: the server has said that the visit counts, or it was so before a restart.
  public func remember(_ memory: UnsafeBufferPointer<Float>) throws(FederatedError) {
    guard let states, let base = memory.baseAddress else { return }
    precondition(memory.count == plan.memoryCount, "a memory of \(memory.count) scalars")
    try states.write(client, from: base)
  }
}
