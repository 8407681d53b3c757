import Configuration
import Datasets
import Tensors

/// Who takes part in rounds, what their devices are like, and what is done to updates beside what the strategy does.
public struct FederatedSetting: Sendable {
  /// How many take part, and how they are drawn.
  public var sampling: CohortSampler.Kind
  /// What updates weigh, unless the strategy decides.
  public var weighting: Weighting?
  /// Clients that do not manage all of their passes.
  public var stragglers: Stragglers?
  /// What devices are like.
  public var devices: DeviceModel
  /// Bytes of clients' states that are held in memory; more go to a file.
  public var stateMemory = 1 << 30
  /// Where that file lies; nil for the system's temporary directory.
  public var spillDirectory: String?

  /// Clients of a round that are slow.
  public struct Stragglers: Sendable, Hashable {
    /// Their share: the nearest whole number of clients of every round.
    public let share: Double
    /// Whether they are left out; otherwise they train as far as they come, 1 to E − 1 passes.
    public let drops: Bool
  }

  /// A cohort of ideal devices.
  public init(_ sampling: CohortSampler.Kind, devices: DeviceModel = .ideal) {
    self.sampling = sampling
    self.devices = devices
  }

  /// Passes of a client's visit; nil where it is left out.
  func epochs(client: Int, round: Int, isStraggler: Bool, _ task: FederatedTask) -> Int? {
    let epochs = task.local.epochs(client: client, round: round, seed: task.seed)
    guard isStraggler, let stragglers else { return epochs }
    if stragglers.drops { return nil }
    if epochs == 1 { return 1 }
    var stream = straggling(client, round, task)
    // The first number is what stragglers are chosen by.
    _ = stream.next()
    return 1 + stream.below(epochs - 1)
  }

  /// What stragglers are chosen by: those of a cohort with the least.
  func straggling(client: Int, round: Int, _ task: FederatedTask) -> UInt64 {
    var stream = straggling(client, round, task)
    return stream.next()
  }

  private func straggling(_ client: Int, _ round: Int, _ task: FederatedTask) -> RandomStream {
    RandomStream(
      seed: task.seed, .selection, epoch: UInt64(round), sample: UInt64(client), layer: SelectionStream.straggling)
  }

  func sampler(_ task: FederatedTask) -> CohortSampler {
    var kind = sampling
    if case .fixed(let cohort) = sampling {
      kind = .fixed(devices.selected(wanted: cohort, of: task.partition.clients))
    }
    return CohortSampler(kind, clients: task.partition.clients, seed: task.seed)
  }

  /// What is done to every upload, for one worker.
  func uploadStages(_ task: FederatedTask, _ plan: FederatedPlan) -> [any UploadStage] { [] }

  /// What is done to what a round brought.
  func outcomeStages(_ task: FederatedTask, _ plan: FederatedPlan) -> [any OutcomeStage] { [] }

  /// What a setting changes of a strategy's plan; throws where they do not go together.
  func adapt(_ plan: inout FederatedPlan, _ task: FederatedTask) throws(FederatedError) {}

  /// The weight that means divide by in place of that of the updates that came, where it must not depend on who came.
  func plannedWeight(_ cohort: Cohort) -> Int? { nil }

  /// Whether rounds without updates move the server.
  var combinesNothing: Bool { false }
}
