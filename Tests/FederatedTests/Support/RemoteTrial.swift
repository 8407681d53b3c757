import Communication
import Configuration
import Datasets
import Federated
import Tensors
import Training

/// A small federation that runs twice: by an engine's own workers, and by clients elsewhere, to and from whom everything goes as
/// the bytes of images.
struct RemoteTrial: Sendable {
  /// The value of `federated.strategy`.
  var strategy: String
  /// More keys of `federated:`.
  var federated = ""
  var model = "{name: mlp, widths: [12]}"
  var optimizer = "{name: sgd, learning-rate: 0.1}"
  var cohort = 5
  var epochs = 2
  var rounds = 4
  /// Whether the initial model is one that does not follow from the seed.
  var startsElsewhere = false

  /// One of every strategy, with what it needs.
  static let all: [RemoteTrial] = FederatedCatalog.all.flatMap { type -> [RemoteTrial] in
    var trial = RemoteTrial(strategy: type.name)
    let plain = "{name: mlp, widths: [12], bias: false}"
    switch type.name {
    case "fedsgd": trial.epochs = 1
    case "signsgd":
      trial.strategy = "{name: signsgd, of: change}"
      var other = trial
      (other.strategy, other.epochs, other.cohort) = ("{name: signsgd, of: gradient}", 1, 4)
      other.model = "{layers: [flatten, {linear: 12}, batch-norm, relu, {linear: 10}]}"
      return [trial, other]
    case "fedbn": trial.model = "{layers: [flatten, {linear: 12}, batch-norm, relu, {linear: 10}]}"
    case "hidenseek":
      trial.model = plain
      trial.optimizer = "{name: sgd, learning-rate: 0.3}"
      return ["", "mode: votes", "mode: votes, tally: hard", "criterion: snip", "criterion: snip, mode: votes"].map {
        trial.strategy = "{name: hidenseek, density: 0.4, \($0)}"
        return trial
      }
    case "fedmask":
      trial.model = plain
      trial.optimizer = "{name: adam, learning-rate: 0.1}"
    case "lotteryfl": trial.strategy = "{name: lotteryfl, density: 0.3, threshold: 0.1}"
    case "prototypes":
      (trial.model, trial.epochs) = ("{name: prototype-encoder, channels: 8, blocks: 2}", 1)
      var other = trial
      other.strategy = "{name: prototypes, missions: {classes: 2, shots: 3}}"
      return [trial, other]
    case "krum", "multi-krum", "bulyan":
      trial.strategy = "{name: \(type.name), attackers: 1}"
      trial.cohort = 8
    case "trimmed-mean": trial.cohort = 8
    default: break
    }
    return [trial]
  }

  /// Data, task and setting.
  func prepared() throws -> (task: FederatedTask, strategy: any FederatedStrategy, setting: FederatedSetting) {
    let text = """
      name: trial
      seed: 9
      model: \(model)
      data: {name: digits, subset: 300}
      federated: {strategy: \(strategy), clients: 9, cohort: \(cohort), rounds: \(rounds), epochs: \(epochs), batch: 8, \
      partition: {name: dirichlet, alpha: 0.5, minimum: 0}\(federated.isEmpty ? "" : ", \(federated)")}
      optimizer: \(optimizer)
      """
    let prepared = try PreparedFederation(try FederatedExperiment(try Node.parse(text, file: "trial.yaml")))
    let task = prepared.task
    let own = FederatedTask(
      learning: task.learning, compute: task.compute, optimizer: task.optimizer, seed: task.seed,
      training: task.training, partition: task.partition,
      local: task.local, rounds: task.rounds, cohort: task.cohort, largestCohort: task.largestCohort,
      startsFromSeed: !startsElsewhere)
    return (own, prepared.experiment.federated.strategy, prepared.setting)
  }

  /// What the rounds came to.
  struct Outcome {
    /// Bits of the model, of results, and of all that an engine remembers.
    var bits: [UInt32] = []
    var records: [RoundRecord] = []
    var visits: [[ClientRecord]] = []
  }

  /// An engine with its initial model.
  func engine() throws -> FederatedEngine {
    let (task, strategy, setting) = try prepared()
    let store = ParameterStore(task.layout)
    task.layout.initialise(store, seed: startsElsewhere ? task.seed + 1 : task.seed)
    let engine = try FederatedEngine(
      task, strategy, setting, model: store, threads: 1, InProcessCommunicator.alone())
    try engine.prepare { _ in }
    return engine
  }

  /// All rounds, by an engine's workers or by others.
  func run(_ engine: FederatedEngine, by remote: (any RemoteVisits)? = nil) throws -> Outcome {
    var outcome = Outcome()
    engine.remote = remote
    for round in 0..<rounds {
      outcome.records.append(try engine.round(round))
      outcome.visits.append(engine.visits)
    }
    let model = [engine.broadcast.model.parameters, engine.broadcast.model.states]
    let all = model + engine.server.results + engine.memory.map(\.storage)
    outcome.bits = all.flatMap { $0.scalars.map(\.bitPattern) }
    return outcome
  }
}

/// Clients in this process who get and send nothing but images.
final class ClientsElsewhere: RemoteVisits {
  struct Surprise: Error { let what: String }

  private let trial: RemoteTrial
  private let engine: FederatedEngine
  private var clients: [Int: RemoteClient] = [:]
  /// The round whose download a client holds.
  private var holds: [Int: Int] = [:]
  private var order: RandomStream
  /// Bytes that travelled to every place of the last round.
  private(set) var sent: [Int] = []
  /// Images, their bytes, and those of them that are tensors'.
  private(set) var totals = (images: 0, bytes: 0, tensors: 0)
  /// Downloads by kind.
  private(set) var downloads: [DownloadKind: Int] = [:]
  /// Statuses that came of uploads.
  private(set) var statuses: [ClientRecord.Status: Int] = [:]

  init(_ trial: RemoteTrial, _ engine: FederatedEngine, seed: UInt64 = 1) {
    self.trial = trial
    self.engine = engine
    order = RandomStream(seed: seed, .test)
  }

  func client(_ number: Int) throws -> RemoteClient {
    if let known = clients[number] { return known }
    let (task, strategy, setting) = try trial.prepared()
    let made = try RemoteClient(task, strategy, setting, client: number)
    clients[number] = made
    return made
  }

  /// Tensors as the other side sees them.
  func travel<Result>(
    _ parts: [SafetensorsWriter.Part], _ body: (SafetensorsView, _ bytes: Int) throws -> Result
  ) throws -> Result {
    let sent = SafetensorsImage(parts)
    let received = SafetensorsImage(copying: sent.bytes)
    return try withExtendedLifetime(received) {
      let view = try SafetensorsView(received.bytes, name: "image")
      let bytes = view.tensors.values.reduce(0) { $0 + $1.range.count }
      totals.images += 1
      totals.bytes += received.bytes.count
      totals.tensors += bytes
      return try body(view, bytes)
    }
  }

  /// Sends a place's client what it needs; the bytes of that.
  func download(_ round: OpenRound, _ place: Int) throws -> Int {
    let number = round.client(place)
    let follows = round.index > 0 && holds[number] == round.index - 1
    let kind = follows ? DownloadKind.step : .whole
    if engine.plan.downloadBytes.follower != engine.plan.downloadBytes.other, follows != round.isFollowing(place) {
      throw Surprise(what: "client \(number) follows and is said not to, or does not")
    }
    let client = try client(number)
    downloads[kind, default: 0] += 1
    holds[number] = round.index
    return try travel(engine.download(kind)) { view, bytes in
      try client.take(view, kind, round: round.index)
      return bytes
    }
  }

  func visit(_ round: OpenRound) throws {
    sent = Array(repeating: 0, count: round.places.count)
    var places = Array(round.places)
    for place in places.indices { places.swapAt(place, place + order.below(places.count - place)) }
    for place in places {
      sent[place] = try download(round, place)
      guard round.isVisited(place) else { continue }
      let client = try client(round.client(place))
      let report = try client.visit(round.order(place))
      let status = try travel(client.packed) { view, bytes in
        try round.take(view, report, of: place, bytesUp: bytes, bytesDown: sent[place])
      }
      statuses[status, default: 0] += 1
      if status == .accepted { try client.remember(client.memory) }
    }
  }
}

/// Clients have what the partition says, and nothing is remembered between rounds.
extension RemoteVisits {
  func samples(of client: Int) -> Int? { nil }
  var memory: [ServerMemory] { [] }
  func kept(_ round: Int) {}
  func fill(_ buffer: OpenBuffer) {}
}
