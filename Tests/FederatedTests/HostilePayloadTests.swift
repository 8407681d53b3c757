import Datasets
import Federated
import Tensors
import Testing

@Suite("What hostile clients and servers send")
struct HostilePayloadTests {
  static let up = [
    "float16", "bfloat16", "{name: qsgd, levels: 5}", "terngrad", "{name: top-k, ratio: 0.1}",
    "{name: random-k, ratio: 0.2}", "sign-feedback",
  ]
  static let down = [
    "float16", "{name: qsgd, levels: 127}", "{name: top-k, ratio: 0.1}", "{name: random-k, ratio: 0.2}",
    "sign-feedback",
  ]
  static let trials =
    RemoteTrial.all
    + up.map { RemoteTrial(strategy: "fedavg", federated: "compression: {up: \($0), down: float16}") }
    + down.map { RemoteTrial(strategy: "scaffold", federated: "compression: {down: \($0)}") }

  @Test("Two thousand broken uploads of every kind add nothing that is not taken", arguments: trials.indices)
  func uploads(_ index: Int) throws {
    let engine = try Self.trials[index].engine()
    let attack = BrokenUploads(ClientsElsewhere(Self.trials[index], engine), engine, count: 2000)
    engine.remote = attack
    #expect(throws: BrokenUploads.Done.self) { _ = try engine.round(0) }
    #expect(attack.changed == 0, "\(Self.trials[index].strategy)")
    #expect(attack.refused > 500, "\(attack.refused) were refused")
  }

  @Test("Broken downloads stop no client", arguments: trials.indices)
  func downloads(_ index: Int) throws {
    let trial = Self.trials[index]
    let engine = try trial.engine()
    let clients = ClientsElsewhere(trial, engine)
    engine.remote = clients
    for round in 0..<2 { _ = try engine.round(round) }
    let (task, strategy, setting) = try trial.prepared()
    let client = try RemoteClient(task, strategy, setting, client: 0)
    let whole = SafetensorsImage(engine.download(.whole))
    var random = RandomStream(seed: 5, .test)
    var refused = 0
    for kind in [DownloadKind.step, .whole] {
      let image = SafetensorsImage(engine.download(kind))
      for _ in 0..<250 {
        let broken = Mutation.of(image, &random)
        do {
          try broken.read { try client.take($0, kind, round: 1) }
        } catch { refused += 1 }
      }
    }
    #expect(refused > 100)
    // After all of that it takes what is right.
    try whole.read { try client.take($0, .whole, round: 1) }
  }

  @Test("A step is nothing to a client who holds nothing of hidenseek's")
  func early() throws {
    guard let trial = RemoteTrial.all.first(where: { $0.strategy.contains("hidenseek") }) else { return }
    let engine = try trial.engine()
    let (task, strategy, setting) = try trial.prepared()
    let client = try RemoteClient(task, strategy, setting, client: 0)
    let image = SafetensorsImage(engine.download(.step))
    #expect(throws: DataError.self) {
      try image.read { try client.take($0, .step, round: 1) }
    }
  }

  @Test("Numbers of a report that no visit comes to")
  func reports() throws {
    let good = VisitReport(steps: 1, loss: 1, terms: 1, isWhole: true, isAcceptable: true)
    try good.check()
    for change in [
      { $0.steps = -1 }, { $0.steps = .max }, { $0.terms = .max }, { $0.loss = .nan }, { $0.loss = .infinity },
    ] as [(inout VisitReport) -> Void] {
      var bad = good
      change(&bad)
      #expect(throws: DataError.self) { try bad.check() }
    }
  }
}

/// One client's upload, broken in many ways.
private final class BrokenUploads: RemoteVisits {
  struct Done: Error {}

  private let clients: ClientsElsewhere
  private let engine: FederatedEngine
  private let count: Int
  /// Uploads that were refused, and those of them, or of the rejected, that changed a sum.
  private(set) var (refused, changed) = (0, 0)

  init(_ clients: ClientsElsewhere, _ engine: FederatedEngine, count: Int) {
    (self.clients, self.engine, self.count) = (clients, engine, count)
  }

  func visit(_ round: OpenRound) throws {
    guard let place = round.places.first(where: { round.isVisited($0) }) else { throw Done() }
    _ = try clients.download(round, place)
    let client = try clients.client(round.client(place))
    let report = try client.visit(round.order(place))
    let image = SafetensorsImage(client.packed)
    var random = RandomStream(seed: 4, .test)
    for _ in 0..<count {
      let broken = Mutation.of(image, &random)
      let before = sums(round)
      var isTaken = false
      do {
        isTaken = try broken.read {
          try round.take($0, report, of: place, bytesUp: 0, bytesDown: 0) == .accepted
        }
      } catch { refused += 1 }
      if !isTaken, sums(round) != before { changed += 1 }
    }
    throw Done()
  }

  private func sums(_ round: OpenRound) -> [Int64] {
    engine.plan.uploads.indices.flatMap { round.words($0) }
  }
}

extension SafetensorsImage {
  /// Its tensors, while it is there.
  fileprivate func read<Result>(_ body: (SafetensorsView) throws -> Result) throws -> Result {
    try withExtendedLifetime(self) { try body(try SafetensorsView(bytes, name: "image")) }
  }
}

/// Ways to break an image.
private enum Mutation {
  static func of(_ image: SafetensorsImage, _ random: inout RandomStream) -> SafetensorsImage {
    var bytes = withExtendedLifetime(image) { Array(image.bytes) }
    let header = 8 + (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    /// Of the tensors more often than of the header.
    func place(_ random: inout RandomStream) -> Int {
      let isHeader = random.below(3) == 0 || header >= bytes.count
      return isHeader ? random.below(header) : header + random.below(bytes.count - header)
    }
    switch random.below(6) {
    case 0: bytes.removeLast(1 + random.below(bytes.count))
    case 1: bytes += (0...random.below(64)).map { UInt8(truncatingIfNeeded: $0) }
    case 2, 3:
      for _ in 0...random.below(8) { bytes[place(&random)] = UInt8(random.below(256)) }
    case 4:
      // Numbers that are none, or as large as there are.
      let first = place(&random)
      let value = [0xFF, 0x7F, 0x80, 0x00][random.below(4)] as UInt8
      for i in first..<min(bytes.count, first + 1 + random.below(16)) { bytes[i] = value }
    default:
      // A digit of a shape, an offset or a name.
      let digits = bytes[..<header].indices.filter { (0x30...0x39).contains(bytes[$0]) }
      bytes[digits[random.below(digits.count)]] = UInt8(0x30 + random.below(10))
    }
    return bytes.withUnsafeBytes { SafetensorsImage(copying: $0) }
  }
}
