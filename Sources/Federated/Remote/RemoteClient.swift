import Datasets
import Layers
import Tensors

/// What takes part in a federation whose server is elsewhere: it takes downloads, trains on order, and lets go of uploads.
public protocol VisitingClient: AnyObject {
  /// Samples that it has.
  var samples: Int { get }
  /// Loss terms of a sample.
  var termsPerSample: Int { get }
  /// Takes what the server sends before a round, counted from 0.
  func take(_ download: SafetensorsView, _ kind: DownloadKind, round: Int) throws(DataError)
  /// Trains as ordered.
  func visit(_ order: VisitOrder) throws(FederatedError) -> VisitReport
  /// The upload of the last visit as tensors that travel; valid until the next.
  var packed: [SafetensorsWriter.Part] { get }
  /// What it remembers, should its last visit count.
  var memory: UnsafeBufferPointer<Float> { get }
  /// How much that is.
  var memoryCount: Int { get }
  /// Makes `memory` what it remembers.
  func remember(_ memory: UnsafeBufferPointer<Float>) throws(FederatedError)
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
  private let worker: ClientWorker
  private let stages: RoundStages
  private let states: ClientStates?

  /// A client that has not been sent anything yet.
  public init(_ task: FederatedTask, _ strategy: any FederatedStrategy, _ setting: FederatedSetting, client: Int)
    throws(FederatedError)
  {
    self.task = task
    self.client = client
    plan = try FederatedEngine.plan(task, strategy, setting)
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
  public var termsPerSample: Int { task.objective.termsPerSample }

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
    return VisitReport(
      try worker.train(
        client, round: order.round, epochs: order.epochs, learningRate: order.learningRate, states))
  }

  /// The upload of the last visit as tensors that travel; valid until the next.
  public var packed: [SafetensorsWriter.Part] { worker.packed }

  /// The upload of the last visit as it is.
  public var upload: Upload { worker.visit.upload }

  /// What the client remembers, should its last visit count.
  public var memory: UnsafeBufferPointer<Float> { UnsafeBufferPointer(worker.visit.memory) }

  /// Makes `memory` what the client remembers: the server has said that the visit counts, or it was so before a restart.
  public func remember(_ memory: UnsafeBufferPointer<Float>) throws(FederatedError) {
    guard let states, let base = memory.baseAddress else { return }
    precondition(memory.count == plan.memoryCount, "a memory of \(memory.count) scalars")
    try states.write(client, from: base)
  }
}
