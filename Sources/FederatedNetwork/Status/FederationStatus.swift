/// How a federation stands: a value that a server changes and a status page shows.
///
/// Times are seconds since 1970, so that nothing has to be written while nothing happens: what passes is worked out when the
/// status is read.
public struct FederationStatus: Sendable, Hashable {
  /// What a server is doing.
  public enum State: String, Sendable, Hashable, CaseIterable {
    /// Too few clients are there.
    case waitingForClients = "waiting for clients"
    /// Clients train, or their updates are awaited.
    case inRound = "in round"
    /// The model is being tested.
    case evaluating
    /// All rounds are done.
    case finished
    /// It ended before its last round.
    case stopped
  }

  /// What the running round waits for.
  public struct Cohort: Sendable, Hashable {
    /// Updates that the round needs.
    public var needed: Int
    /// Updates that were taken.
    public var arrived: Int
    /// When the round ends at the latest; nil without a deadline.
    public var deadline: Double?

    /// A cohort of the running round.
    public init(needed: Int, arrived: Int = 0, deadline: Double? = nil) {
      self.needed = needed
      self.arrived = arrived
      self.deadline = deadline
    }
  }

  /// What differential privacy has cost so far.
  public struct Privacy: Sendable, Hashable {
    /// ε spent.
    public var epsilon: Double
    /// The δ at which it holds.
    public var delta: Double

    /// A loss of privacy.
    public init(epsilon: Double, delta: Double) {
      self.epsilon = epsilon
      self.delta = delta
    }
  }

  /// The configuration's name.
  public var name: String
  /// The federated strategy.
  public var strategy: String
  /// What the server is doing.
  public var state = State.waitingForClients
  /// Rounds that ended.
  public var round = 0
  /// Rounds that there will be.
  public var rounds: Int
  /// When it started.
  public var started: Double
  /// When it ended; nil while it runs.
  public var ended: Double?
  /// Updates that were taken.
  public var updates = 0
  /// Updates that were refused.
  public var rejected = 0
  /// Updates that never came.
  public var lost = 0
  /// Rounds that ended without a step.
  public var skipped = 0
  /// Payload of updates, in bytes, by the strategy's formula.
  public var bytesUp = 0
  /// Payload sent to clients, in bytes, by the strategy's formula.
  public var bytesDown = 0
  /// What sockets received, in bytes; nil where that is not known.
  public var wireBytesIn: Int?
  /// What sockets sent, in bytes; nil where that is not known.
  public var wireBytesOut: Int?
  /// What the running round waits for; nil between rounds.
  public var cohort: Cohort?
  /// What privacy has cost; nil without differential privacy.
  public var privacy: Privacy?
  /// The digest of the model after the newest round.
  public var digest: String?
  /// What the rounds came to.
  public var history = RoundHistory()
  /// The clients, in order of their numbers.
  public var clients: [ClientStatus]

  /// A federation before its first round, all of its clients offline.
  public init(name: String, strategy: String, rounds: Int, clients: Int, started: Double) {
    self.name = name
    self.strategy = strategy
    self.rounds = rounds
    self.started = started
    self.clients = (0..<clients).map { ClientStatus(number: $0) }
  }

  /// Seconds that it has run at a time, or ran.
  public func seconds(at now: Double) -> Double { max(0, (ended ?? now) - started) }

  /// How many clients are in each state, in the order of `ClientStatus.State.allCases`.
  public var clientCounts: [(state: ClientStatus.State, count: Int)] {
    var counts: [ClientStatus.State: Int] = [:]
    for client in clients { counts[client.state, default: 0] += 1 }
    return ClientStatus.State.allCases.map { ($0, counts[$0] ?? 0) }
  }

  /// Clients that are connected.
  public var online: Int { clients.reduce(0) { $0 + ($1.state == .offline ? 0 : 1) } }
}
