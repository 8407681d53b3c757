import Compression
import Configuration
import Datasets
import Tensors

/// Gradient descent by the majority of signs (Bernstein, Wang, Azizzadenesheli, Anandkumar, ICML 2018, algorithm 3):
///
///     s_k = −sign(∇F_k(w)), or sign(w_k − w)        w ← w + η sign(Σ s_k)
///
/// `of: gradient` takes the gradient over all of a client's samples, as ``FedSGD`` does; `of: change` what local training has
/// changed.  Every client has one vote; a tie moves nothing.  η does not follow the schedule of the optimizer.
///
/// Deviation: a bit has no zero, so that a scalar that did not move (a dead unit, a constant pixel) votes by a fair coin that
/// seed, round and client decide; +1 from everyone would carry such weights away.
/// States, such as the running statistics of batch normalisation, are uploaded beside the signs and averaged.
/// Upload: ⌈P / 8⌉ bytes for P parameters.  Download: twice that to a client that took part in the round before, since a
/// parameter may stay where it is however large the cohort was meant to be; the model, 4 bytes a scalar, to any other.
public struct SignSGD: FederatedStrategy {
  /// The name in configurations.
  public static let name = "signsgd"
  /// What it does.
  public static let help = "clients vote on the sign of every scalar's move; the server goes with the majority"
  private let isOfGradient: Bool
  private let eta: Double

  /// Reads what the signs are of, and η.
  public init(options: inout Options) throws(ConfigurationError) {
    isOfGradient =
      try options.choice(
        "of", of: ["gradient", "change"], default: "gradient",
        "whether votes are the signs of one gradient, or of what local training has changed") == "gradient"
    eta = try options.number("eta", default: 0.001, in: .positive, "how far a vote moves a scalar, η")
  }

  /// Votes, and the change of states where there are some.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    if isOfGradient { try task.requireOnePass(for: "signsgd of gradients") }
    let (count, states) = (task.layout.parameterCount, task.layout.stateCount)
    let votes = UploadPart("signs", .votes, count: count)
    var plan = FederatedPlan(
      shared: SharedScalars(task.layout),
      uploads: states > 0 ? [votes, UploadPart("states", .numbers, count: states)] : [votes])
    plan.downloadBytes.follower = SignSGDWire.bytes(parameters: count, states: states)
    return plan
  }

  /// Votes.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    VotingClient(isOfGradient: isOfGradient, eta: Float(eta), task.layout)
  }

  /// Goes with the majority.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    MajorityServer(eta: Float(eta), broadcast)
  }
}

private final class VotingClient: ClientHalf {
  private let isOfGradient: Bool
  /// The direction of every scalar's move, then the change of states.
  private let move: Storage
  private let eta: Float
  private let wire: SignSGDWire

  init(isOfGradient: Bool, eta: Float, _ layout: ParameterLayout) {
    self.isOfGradient = isOfGradient
    self.eta = eta
    move = Storage(zeros: layout.parameterCount + layout.stateCount)
    wire = SignSGDWire(parameters: layout.parameterCount, states: layout.stateCount)
  }

  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    switch kind {
    case .whole: try broadcast.take(download, plan, kind)
    case .step: try wire.move(broadcast.model, by: eta, download)
    }
  }

  func update(_ visit: ClientVisit) {
    let parameters = visit.broadcast.model.parameters.count
    if isOfGradient {
      visit.differentiate(into: move.base)
      VectorMath.scale(move.base, by: -1, count: parameters)
    } else {
      visit.trainFromBroadcast(NoCorrection())
      visit.plan.shared.difference(of: visit.trainer.model, from: visit.broadcast.model, into: move.base)
    }
    if let states = visit.plan.uploads.indices.contains(1) ? visit.upload.scalars(1).baseAddress : nil {
      states.update(from: move.base + parameters, count: move.count - parameters)
    }
    var coins = RandomStream(
      seed: visit.trainer.task.seed, .noise, epoch: UInt64(visit.round), sample: UInt64(visit.client),
      layer: NoiseStream.coins)
    VotingClient.decide(move.base, parameters, &coins)
    if let bits = visit.upload.bits(0).baseAddress { SignBits.pack(move.base, count: parameters, into: bits) }
  }

  /// Replaces zeros of either sign by ±1.
  private static func decide(_ move: UnsafeMutablePointer<Float>, _ count: Int, _ coins: inout RandomStream) {
    var first = 0
    while first < count {
      decide(move + first, min(32, count &- first), coins.nextWord())
      first &+= 32
    }
  }

  @inline(__always)
  private static func decide(_ move: UnsafeMutablePointer<Float>, _ count: Int, _ word: UInt32) {
    var i = 0
    while i < count {
      let coin: Float = word &>> UInt32(truncatingIfNeeded: i) & 1 == 0 ? -1 : 1
      move[i] = move[i] == 0 ? coin : move[i]
      i &+= 1
    }
  }
}

private final class MajorityServer: ServerHalf {
  private let eta: Float
  private let broadcast: Broadcast
  private let wire: SignSGDWire

  init(eta: Float, _ broadcast: Broadcast) {
    self.eta = eta
    self.broadcast = broadcast
    wire = SignSGDWire(parameters: broadcast.model.parameters.count, states: broadcast.model.states.count)
  }

  /// What followers are sent.
  var memory: [ServerMemory] { [ServerMemory("told", wire.told)] }

  func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    kind == .whole ? sent.parts(plan, kind) : wire.packed
  }

  func skip() { wire.skip() }

  func combine(_ outcome: RoundOutcome) {
    let (parameters, states) = (broadcast.model.parameters, broadcast.model.states)
    MajorityServer.move(parameters.base, by: eta, outcome.votes(0).votes, parameters.count)
    wire.tell(outcome.votes(0).votes, states: states.count > 0 ? UnsafePointer(outcome.mean(1)) : nil)
    if states.count > 0 { VectorMath.add(outcome.mean(1), to: states.base, count: states.count) }
  }

  @inline(never)
  private static func move(
    _ w: UnsafeMutablePointer<Float>, by eta: Float, _ votes: UnsafePointer<Int32>, _ count: Int
  ) {
    var i = 0
    while i < count {
      w[i] += votes[i] > 0 ? eta : votes[i] < 0 ? -eta : 0
      i &+= 1
    }
  }
}
