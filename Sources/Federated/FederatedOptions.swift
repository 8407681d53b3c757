import Configuration
import Datasets

/// The section `federated:` of a configuration.
public struct FederatedOptions: Sendable {
  /// Both halves of the method.
  public let strategy: any FederatedStrategy
  /// Who the clients are and what they hold.
  public let partition: PartitionOptions
  /// Clients of a round; nil for all.
  public let cohort: Int?
  /// Whether each client is drawn by itself, so that the size of cohorts varies around ``cohort``.
  public let isPoisson: Bool
  /// Rounds.
  public let rounds: Int
  /// How much a client trains.
  public let local: LocalWork
  /// What updates weigh, unless the strategy decides.
  public let weighting: Weighting?
  /// Clients that do not manage all of their passes.
  public let stragglers: FederatedSetting.Stragglers?
  /// The largest norm of a change; nil for any.
  public let changeLimit: Double?
  /// What attackers do; nil where nobody attacks.
  public let attack: AttackOptions?
  /// How updates come to a server that waits for nobody; nil where rounds have cohorts.
  public let asynchronous: AsynchronousOptions?
  /// Differential privacy of clients; nil for none.
  public let privacy: PrivacyOptions?
  /// Masks on uploads; nil for none.
  public let secureAggregation: SecureAggregationOptions?
  /// How changes and models travel.
  public let compression: CompressionOptions
  /// What devices are like.
  public let devices: DeviceModel
  /// How rounds go where clients are elsewhere.
  public let network: NetworkOptions
  /// The file that says who took part in each round, in place of a draw; nil draws.
  public let participation: String?
  /// Bytes of clients' states that are held in memory.
  public let stateMemory: Int
  /// Rounds between evaluations of the model.
  public let evaluate: Int
  /// How often metrics carry the digest of the result, and ranks make sure that they hold the same; nil for never.
  public let digest: Quantity?
  /// Whether what became of every client of every round is written down.
  public let ledger: Bool
  /// Whether and how clients are judged one by one.
  public let evaluation: ClientEvaluationOptions

  /// Reads the keys of the section; `clip` is that of `training:`.
  public init(_ options: inout Options, clip: Double?) throws(ConfigurationError) {
    strategy = try FederatedCatalog.read(&options)
    partition = try PartitionOptions(&options)
    cohort = try options.optionalInteger(
      "cohort", in: 1...1_000_000_000, unit: "clients", "clients that take part in a round; without it all do")
    isPoisson =
      try options.choice(
        "sampling", of: ["fixed", "poisson"], default: "fixed",
        "whether a round has exactly `cohort` clients, or each client takes part by itself with probability cohort / clients"
      )
      == "poisson"
    rounds = try options.integer("rounds", in: 1...1_000_000_000, unit: "rounds", "rounds of the federation")
    let epochs = try options.integer(
      "epochs", default: 1, in: 1...1_000_000, unit: "epochs", "passes of a client over its samples in a round")
    let least = try options.optionalInteger(
      "least-epochs", in: 1...1_000_000, unit: "epochs",
      "where it is given, clients make a random number of passes from this to `epochs`")
    try options.require(
      least.map { $0 <= epochs } ?? true, key: "least-epochs", "federated.least-epochs is above epochs")
    let steps = try options.optionalInteger(
      "steps", in: 1...1_000_000_000, unit: "steps", "steps after which a client stops in any case")
    let all = "all"
    let batch = try options.text(
      "batch", default: "10", "samples of a client's batch, or `all` that it has")
    guard batch == all || Int(batch).map({ $0 >= 1 && $0 <= 1 << 20 }) == true else {
      throw options.error(
        "federated.batch is `\(batch)`; expected a whole number of at least 1, or `all`", key: "batch")
    }
    if let number = Int(batch) { options.resolve("batch", as: .integer(number)) }
    local = LocalWork(epochs: epochs, leastEpochs: least, steps: steps, batch: Int(batch), clip: clip)
    weighting = try options.optionalChoice(
      "weighting", of: Weighting.allCases.map(\.rawValue),
      "what a client's update weighs: its samples, or as much as any other client's; by default what the strategy says"
    ).flatMap(Weighting.init(rawValue:))
    let share = try options.number(
      "stragglers", default: 0, in: .fraction, "share of a round's clients that do not manage all passes")
    let policy = try options.choice(
      "straggler-policy", of: ["partial", "drop"], default: "partial",
      "whether stragglers train 1 to epochs − 1 passes and count, or are left out")
    stragglers = share > 0 ? FederatedSetting.Stragglers(share: share, drops: policy == "drop") : nil
    changeLimit = try options.optionalNumber(
      "clip", in: .positive, "largest norm of a client's change; longer ones are shortened, against attackers")
    attack = try AttackOptions.read(&options)
    asynchronous = try AsynchronousOptions.read(&options)
    privacy = try PrivacyOptions.read(&options)
    secureAggregation = try SecureAggregationOptions.read(&options)
    compression = try options.section("compression", "how changes and models travel") {
      (options) throws(ConfigurationError) in try CompressionOptions(&options)
    }
    devices = try options.section("devices", "availability, speed and links of clients, in simulated time") {
      (options) throws(ConfigurationError) in try DeviceModel(options: &options)
    }
    network = try options.section("network", "how rounds go where clients are elsewhere; simulations pass over it") {
      (options) throws(ConfigurationError) in try NetworkOptions(&options)
    }
    if asynchronous != nil {
      try options.require(
        cohort == nil && !isPoisson, key: isPoisson ? "sampling" : "cohort",
        "federated.asynchronous has no cohorts; remove \(isPoisson ? "sampling" : "cohort"), concurrency says how many train at once"
      )
      try options.require(
        network.deadline == nil && network.minimum == 1 && network.overSelection == 1, key: "network",
        "federated.asynchronous waits for its buffer, whoever fills it; remove deadline, minimum and over-selection of "
          + "federated.network")
    }
    participation = try options.optionalText(
      "participation",
      "clients.jsonl of a run: the same clients take part in the same rounds, and those count that counted there")
    let megabytes = try options.integer(
      "state-memory", default: 1024, in: 1...1 << 24, unit: "MiB",
      "memory for what clients remember; what goes beyond lies in a file of TMPDIR")
    stateMemory = megabytes << 20
    evaluate = try options.integer(
      "evaluate", default: 1, in: 1...1_000_000_000, unit: "rounds", "rounds between evaluations of the model")
    digest = try options.quantityOrNever(
      "digest", in: ["round"], default: Quantity(50, "round"),
      "how often, and at the end, metrics carry the SHA-256 of the parameters, which `nndist verify` confirms, and ranks "
        + "make sure that they hold the same")
    ledger = try options.flag(
      "ledger", default: false,
      "writes what became of every client of every round, with its bytes up and down, to RUN/clients.jsonl")
    evaluation = try options.section("evaluation", "what becomes of each client, judged one by one") {
      (options) throws(ConfigurationError) in try ClientEvaluationOptions(&options)
    }
  }

  /// Clients of a round among so many, for an asynchronous server those of a buffer; throws where there are not so many.
  public func cohort(of clients: Int) throws(ConfigurationError) -> Int {
    if let asynchronous { return min(asynchronous.buffer, clients) }
    let cohort = cohort ?? clients
    guard cohort <= clients else {
      throw ConfigurationError(
        "federated.cohort is \(cohort), more than the \(clients) clients; lower it to at most \(clients)")
    }
    return cohort
  }

  /// The setting of rounds for so many clients.
  public func setting(clients: Int) throws(ConfigurationError) -> FederatedSetting {
    let cohort = try cohort(of: clients)
    var setting = FederatedSetting(
      isPoisson ? .poisson(rate: Double(cohort) / Double(clients)) : .fixed(cohort), devices: devices)
    setting.weighting = weighting
    setting.stragglers = stragglers
    setting.changeLimit = changeLimit
    setting.attack = attack
    setting.asynchronous = asynchronous
    setting.privacy = privacy
    setting.secureAggregation = secureAggregation
    setting.compression = compression
    setting.stateMemory = stateMemory
    return setting
  }
}
