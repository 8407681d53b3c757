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
  /// The largest norm of a change; nil for any.
  public var changeLimit: Double?
  /// What attackers do.
  public var attack: AttackOptions?
  /// Differential privacy of clients.
  public var privacy: PrivacyOptions?
  /// How changes and models travel.
  public var compression = CompressionOptions()
  /// Bytes of clients' states that are held in memory; more go to a file.
  public var stateMemory = 1 << 30
  /// Where that file lies; nil for the system's temporary directory.
  public var spillDirectory: String?

  /// Clients of a round that are slow.
  public struct Stragglers: Sendable, Hashable {
    /// Their share.
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
  func epochs(client: Int, round: Int, _ task: FederatedTask) -> Int? {
    let epochs = task.local.epochs(client: client, round: round, seed: task.seed)
    guard let stragglers else { return epochs }
    var stream = RandomStream(seed: task.seed, .selection, epoch: UInt64(round), sample: UInt64(client), layer: 2)
    guard stream.uniformDouble() < stragglers.share else { return epochs }
    if stragglers.drops { return nil }
    return epochs == 1 ? 1 : 1 + stream.below(epochs - 1)
  }

  func sampler(_ task: FederatedTask) -> CohortSampler {
    var kind = sampling
    if case .fixed(let cohort) = sampling {
      kind = .fixed(min(task.partition.clients, Int((Double(cohort) * devices.overSelection).rounded(.up))))
    }
    return CohortSampler(kind, clients: task.partition.clients, seed: task.seed)
  }
}
