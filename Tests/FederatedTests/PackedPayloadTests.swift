import Datasets
import Federated
import Tensors
import Testing

@Suite("What travels between server and clients elsewhere")
struct PackedPayloadTests {
  /// Runs a trial both ways; the clients elsewhere.
  @discardableResult
  static func compare(_ trial: RemoteTrial, seed: UInt64 = 1) throws -> ClientsElsewhere {
    let local = try trial.run(try trial.engine())
    let engine = try trial.engine()
    let clients = ClientsElsewhere(trial, engine, seed: seed)
    let remote = try trial.run(engine, by: clients)
    let hasSameBits = local.bits == remote.bits
    #expect(hasSameBits, "\(trial.strategy) \(trial.federated)")
    #expect(local.records == remote.records, "\(trial.strategy) \(trial.federated)")
    #expect(local.visits == remote.visits, "\(trial.strategy) \(trial.federated)")
    // Also to those who were sent something and never came back.
    #expect(remote.visits.last?.map(\.bytesDown) == clients.sent)
    #expect(local.records.contains { $0.updates > 1 })
    return clients
  }

  @Test("Every strategy: the same bits and the same ledger", arguments: RemoteTrial.all.indices)
  func strategies(_ index: Int) throws {
    let clients = try Self.compare(RemoteTrial.all[index])
    #expect(clients.downloads.count == 2)
    // 64 bytes a tensor and 128 an image would be a lot.
    let extra = clients.totals.bytes - clients.totals.tensors
    #expect(extra < 1024 * clients.totals.images)
  }

  @Test("All are tried")
  func all() {
    for type in FederatedCatalog.all {
      #expect(RemoteTrial.all.contains { $0.strategy == type.name || $0.strategy.contains("name: \(type.name),") })
    }
  }

  @Test("Weights that do not follow from the seed are sent, and counted", arguments: RemoteTrial.all.indices)
  func weights(_ index: Int) throws {
    var trial = RemoteTrial.all[index]
    trial.startsElsewhere = true
    try Self.compare(trial, seed: 2)
  }

  static let compressors = [
    "float16", "bfloat16", "{name: qsgd, levels: 31, bucket: 256}", "terngrad", "{name: top-k, ratio: 0.1}",
    "{name: top-k, ratio: 0.1, feedback: false}", "{name: random-k, ratio: 0.2}", "sign-feedback",
  ]

  @Test("Compressed changes", arguments: compressors)
  func up(_ compressor: String) throws {
    for strategy in ["fedavg", "scaffold", "fednova", "fedper", "geometric-median"] {
      try Self.compare(RemoteTrial(strategy: strategy, federated: "compression: {up: \(compressor)}"))
    }
  }

  @Test("Compressed downloads", arguments: compressors.filter { $0 != "terngrad" })
  func down(_ compressor: String) throws {
    for strategy in ["fedavg", "scaffold", "fedadam", "fedper"] {
      var trial = RemoteTrial(strategy: strategy, federated: "compression: {down: \(compressor)}")
      try Self.compare(trial)
      trial.startsElsewhere = true
      trial.federated = "compression: {down: \(compressor), up: \(compressor)}"
      try Self.compare(trial)
    }
  }

  @Test(
    "With attackers, of whom each is a client",
    arguments: [
      "{name: gaussian, deviation: 0.5, share: 0.3}", "{name: sign-flip, scale: 3, share: 0.3}",
      "{name: label-flip, share: 0.3}", "{name: not-finite, share: 0.3}", "{name: little-is-enough, share: 0.3}",
    ])
  func attacks(_ attack: String) throws {
    let isAlone = attack.contains("little")
    for strategy in ["fedavg", "median", "{name: multi-krum, attackers: 1}", "fednova"] {
      for more in ["", ", clip: 0.05", ", compression: {up: top-k}", ", clip: 0.05, compression: {up: qsgd}"] {
        if isAlone && more.contains("compression") { continue }
        var trial = RemoteTrial(strategy: strategy, federated: "attack: \(attack)" + more)
        trial.cohort = 8
        let clients = try Self.compare(trial)
        #expect((clients.statuses[.rejected] ?? 0 > 0) == attack.contains("not-finite"))
      }
    }
  }

  @Test(
    "With privacy",
    arguments: ["clip: 0.05", "clip: {name: adaptive, initial: 0.05}", "clip: {name: adaptive, initial: 2}"])
  func privacy(_ privacy: String) throws {
    for more in ["", ", compression: {up: top-k}", ", compression: {up: terngrad, down: top-k}", ", sampling: poisson"]
    {
      try Self.compare(
        RemoteTrial(strategy: "fedavg", federated: "weighting: clients, privacy: {\(privacy), noise: 0.1}" + more))
    }
  }

  @Test(
    "Whoever takes part, and however long",
    arguments: [
      "sampling: poisson", "stragglers: 0.5", "stragglers: 0.4, straggler-policy: drop", "weighting: clients",
      "least-epochs: 1",
    ])
  func participation(_ setting: String) throws {
    for var trial in RemoteTrial.all {
      let decides = ["hidenseek", "fedmask", "lotteryfl", "fedproto"].contains { trial.strategy.contains($0) }
      if setting.hasPrefix("weighting") && decides { continue }
      trial.federated = setting
      try Self.compare(trial, seed: 3)
    }
  }

  static let compressed = ["top-k", "{name: random-k, ratio: 0.2}"].map {
    RemoteTrial(strategy: "scaffold", federated: "compression: {down: \($0)}")
  }

  @Test("A server that goes on from a checkpoint sends what it would have", arguments: RemoteTrial.all + compressed)
  func checkpoints(_ trial: RemoteTrial) throws {
    let engines = try [trial.engine(), trial.engine()]
    for round in 0..<2 { _ = try engines[0].round(round) }
    let storages = engines.map { engine in
      [engine.broadcast.model.parameters, engine.broadcast.model.states] + engine.memory.map(\.storage)
    }
    for (before, after) in zip(storages[0], storages[1]) { after.copy(from: before) }
    let downloads = try engines.map { engine in
      let onlooker = Onlooker(engine)
      engine.remote = onlooker
      _ = try engine.round(2)
      return onlooker.downloads
    }
    #expect(downloads[0].count == 2)
    let isSame = downloads[0] == downloads[1]
    #expect(isSame)
  }

  @Test("A round that came to nothing moves nobody", arguments: ["{name: signsgd, of: change}", "{name: hidenseek}"])
  func skipped(_ strategy: String) throws {
    var trial = RemoteTrial(strategy: strategy)
    (trial.rounds, trial.cohort) = (6, 9)
    trial.model = "{name: mlp, widths: [12], bias: false}"
    let local = try trial.engine()
    let engine = try trial.engine()
    let clients = ClientsElsewhere(trial, engine)
    let lost = Deserters(clients, in: [2, 3])
    engine.remote = lost
    // The other engine goes through the same rounds with everyone lost in some.
    let same = Deserters(ClientsElsewhere(trial, local), in: [2, 3])
    local.remote = same
    for round in 0..<trial.rounds {
      let records = (try engine.round(round), try local.round(round))
      #expect(records.0.isSkipped == [2, 3].contains(round) && records.0 == records.1)
    }
    let plain = try trial.engine()
    for round in [0, 1, 4, 5] { _ = try plain.round(round) }
    let bits = [engine, plain].map { $0.broadcast.model.parameters.scalars.map(\.bitPattern) }
    let isSame = bits[0] == bits[1]
    #expect(isSame)
  }
}

/// Looks at what would be sent, and has nobody visited.
private final class Onlooker: RemoteVisits {
  private let engine: FederatedEngine
  private(set) var downloads: [[UInt8]] = []

  init(_ engine: FederatedEngine) { self.engine = engine }

  func visit(_ round: OpenRound) {
    downloads = DownloadKind.allCases.map {
      let image = SafetensorsImage(engine.download($0))
      return withExtendedLifetime(image) { Array(image.bytes) }
    }
  }
}

/// Clients who get everything and send nothing in some rounds.
private final class Deserters: RemoteVisits {
  private let clients: ClientsElsewhere
  private let rounds: Set<Int>

  init(_ clients: ClientsElsewhere, in rounds: Set<Int>) { (self.clients, self.rounds) = (clients, rounds) }

  func visit(_ round: OpenRound) throws {
    guard rounds.contains(round.index) else { return try clients.visit(round) }
    for place in round.places {
      let bytes = try clients.download(round, place)
      round.record(place, nil, .lost, bytesUp: 0, bytesDown: bytes)
    }
  }
}
