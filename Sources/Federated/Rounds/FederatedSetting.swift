import Configuration
import Datasets
import Glibc
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
  /// Whether noise comes from a key of the system's randomness, as it must where clients know the seed, and not from the seed.
  /// The key has 64 bits: whoever can try them all can take the noise away.
  public var drawsNoiseKey = false
  /// Who took part in each round, in place of a draw; nil draws.
  public var participation: Participation?
  /// How updates come to a server that waits for nobody; nil where rounds have cohorts.
  public var asynchronous: AsynchronousOptions?
  /// Masks on uploads.
  public var secureAggregation: SecureAggregationOptions?
  /// Whether clients elsewhere say how many samples they have, which others then do not know.
  public var clientsBringData = false
  /// How changes and models travel.
  public var compression = CompressionOptions()
  /// Bytes of clients' states that are held in memory; more go to a file.
  public var stateMemory = 1 << 30
  /// Where that file lies; nil for the system's temporary directory, which the variable TMPDIR names.
  public var spillDirectory: String?

  /// Whether a server sees nothing but sums of uploads.
  public var masksUploads: Bool { secureAggregation != nil }

  /// Whether a round may order a largest norm of changes: the one that is fixed, any where it follows clients, and none where
  /// nothing is clipped.
  public func allows(changeLimit limit: Double?) -> Bool {
    switch privacy?.clip {
    case .some(.fixed(let norm)): limit == norm
    case .some(.adaptive): limit.map { $0 > 0 && $0.isFinite } ?? false
    case .some(.none): limit == nil
    case nil: limit == changeLimit
    }
  }

  /// The largest norm of changes that the configuration names: in the first round, where it follows clients; nil for any.
  public var firstChangeLimit: Double? {
    switch privacy?.clip {
    case .some(.fixed(let norm)): norm
    case .some(.adaptive(let initial, _, _, _)): initial
    case .some(.none): nil
    case nil: changeLimit
    }
  }

  /// The folder of that file.
  var spillFolder: String {
    let temporary = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    return spillDirectory ?? (temporary.isEmpty ? "/tmp" : temporary)
  }

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

  /// The most clients that a round may ask for: all of them where each decides for itself.
  public func largestCohort(of clients: Int) -> Int {
    switch sampling {
    case .fixed(let cohort): devices.selected(wanted: cohort, of: clients)
    case .poisson: clients
    }
  }

  func sampler(_ task: FederatedTask) -> CohortSampler {
    var kind = sampling
    if case .fixed = sampling { kind = .fixed(largestCohort(of: task.partition.clients)) }
    return CohortSampler(kind, clients: task.partition.clients, seed: task.seed)
  }
}
