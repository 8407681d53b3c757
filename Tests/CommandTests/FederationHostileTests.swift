import Foundation
import Testing

@Suite("A client that breaks the rules harms nobody but itself", .serialized)
struct FederationHostileTests {
  /// Six clients of 20 samples; client 5 is the hostile one.
  static let configuration = """
    name: federation
    seed: 3
    model: {name: mlp, widths: [4]}
    data: {name: digits, subset: 120}
    federated: {clients: 6, rounds: 4, batch: 10, partition: iid, digest: 1 round, network: {deadline: 20}}
    optimizer: {name: sgd, learning-rate: 0.1}
    compute: {threads: 1}

    """
  static let hostile = 5
  static let samples = 20
  /// Scalars of the model: 64·4 + 4 + 4·10 + 10.
  static let parameters = 310

  /// A federation whose honest clients are there, and a hostile one that has joined.
  private struct Stage {
    let federation: NetworkFederation
    let enemy: WireClient

    init(rounds: Int, hasKeys: Bool = true, deadline: Double = 20) throws {
      let tool = try FederatedTrial.folder(FederationHostileTests.configuration)
      let changes = ["federated.rounds=\(rounds)", "federated.network.deadline=\(deadline)"].flatMap { ["--set", $0] }
      federation = try NetworkFederation(tool, ["federation.yaml"] + changes, clients: 6, hasKeys: hasKeys)
      try federation.startServer()
      for client in 0..<5 { try federation.startClient(client) }
      enemy = try WireClient(federation, client: FederationHostileTests.hostile)
      try enemy.join(samples: FederationHostileTests.samples)
    }

    /// Honest clients end well, with the digest of the simulation in which the same took part.
    func expectUnharmed(sourceLocation: SourceLocation = #_sourceLocation) throws {
      let result = federation.expectEnd(sourceLocation: sourceLocation)
      let simulated = try federation.simulate(repeating: true)
      #expect(result.digest == simulated.digest && result.digest.count == 64, sourceLocation: sourceLocation)
      try federation.expectLedger(result, sourceLocation: sourceLocation)
      for round in try federation.ledger() {
        for client in 0..<5 {
          #expect(round.clients("accepted").contains(client), "round \(round.round)", sourceLocation: sourceLocation)
        }
        #expect(!round.clients("accepted").contains(FederationHostileTests.hostile), sourceLocation: sourceLocation)
      }
      try federation.expectVerified(sourceLocation: sourceLocation)
      #expect(
        federation.log.contains("client \(FederationHostileTests.hostile) (127.0.0.1)"), sourceLocation: sourceLocation)
    }
  }

  /// An upload that was not ordered: what is offered and sent, and what the server says of it.
  struct Upload: Sendable, CustomTestStringConvertible {
    let name: String
    var report = WireClient.report
    /// What is offered in place of the bytes there are.
    var total: Int?
    var bytes: [UInt8] = []
    let says: String

    var testDescription: String { name }
  }

  private static let zeros = [UInt8](repeating: 0, count: 4 * parameters)

  private static func floats(_ value: Float) -> [UInt8] {
    (0..<parameters).flatMap { _ in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
  }

  static let uploads = [
    Upload(name: "no report", report: Array("{}".utf8), total: 100, says: "report makes no sense"),
    Upload(name: "a report that is no JSON", report: [0xFF, 0, 1], total: 100, says: "report makes no sense"),
    Upload(
      name: "a report that nests", report: Array(String(repeating: "[", count: 60_000).utf8), total: 9, says: "no sense"
    ),
    Upload(
      name: "a report of steps without end",
      report: Array(
        #"{"report":{"isAcceptable":true,"isWhole":true,"loss":1,"steps":9000000000000000000,"terms":1}}"#.utf8),
      total: 100, says: "no sense"),
    Upload(
      name: "a report of fewer steps than none",
      report: Array(#"{"report":{"isAcceptable":true,"isWhole":true,"loss":1,"steps":-1,"terms":-7}}"#.utf8),
      total: 100,
      says: "no sense"),
    Upload(
      name: "a loss beyond all numbers",
      report: Array(#"{"report":{"isAcceptable":true,"isWhole":true,"loss":1e999,"steps":1,"terms":1}}"#.utf8),
      total: 100,
      says: "no sense"),
    Upload(
      name: "an update that it calls unacceptable itself",
      report: Array(#"{"report":{"isAcceptable":false,"isWhole":true,"loss":1,"steps":1,"terms":1}}"#.utf8), total: 100,
      says: "not finite, or too large"),
    Upload(name: "nothing", total: 0, says: "offers 0 bytes"),
    Upload(name: "more than possible", total: 1 << 40, says: "offers 1099511627776 bytes"),
    Upload(name: "no safetensors", bytes: zeros, says: "upload of client 5"),
    Upload(
      name: "a header longer than the file", bytes: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F] + zeros,
      says: "upload of client 5"),
    Upload(
      name: "another tensor", bytes: WireClient.tensors("model", "F32", [parameters], zeros), says: "change"),
    Upload(
      name: "a tensor of another type", bytes: WireClient.tensors("change", "I32", [parameters], zeros), says: "change"),
    Upload(
      name: "a tensor too short",
      bytes: WireClient.tensors("change", "F32", [parameters - 1], Array(zeros.dropLast(4))), says: "change"),
    Upload(
      name: "a shape that is not its bytes'", bytes: WireClient.tensors("change", "F32", [1 << 40], zeros),
      says: "upload of client 5"),
    Upload(
      name: "a shape whose product overflows",
      bytes: WireClient.tensors("change", "F32", [1 << 62, 1 << 62, 4], zeros), says: "upload of client 5"),
    Upload(
      name: "no numbers", bytes: WireClient.tensors("change", "F32", [parameters], floats(.nan)), says: "not finite"),
    Upload(
      name: "infinity", bytes: WireClient.tensors("change", "F32", [parameters], floats(.infinity)), says: "not finite"),
    Upload(
      name: "numbers beyond the fixed point", bytes: WireClient.tensors("change", "F32", [parameters], floats(300)),
      says: "too large"),
  ]

  @Test("uploads that nobody ordered are rejected, with a reason in the log")
  func uploads() throws {
    let stage = try Stage(rounds: Self.uploads.count)
    let enemy = stage.enemy
    for (index, upload) in Self.uploads.enumerated() {
      let order = try #require(enemy.wait(for: .order), "\(upload.name)")
      let round = UInt64(index)
      #expect(order.round == round)
      enemy.send(.offer, round: round, total: UInt64(upload.total ?? upload.bytes.count), upload.report)
      if upload.total == nil {
        _ = try #require(enemy.wait(for: .grant), "\(upload.name)")
        enemy.send(.piece, round: round, offset: 0, total: UInt64(upload.bytes.count), upload.bytes)
      }
      let verdict = try #require(enemy.wait(for: .verdict), "\(upload.name)")
      #expect(verdict.round == round && verdict.json["outcome"] as? String == "rejected", "\(upload.name)")
      #expect((verdict.json["reason"] as? String ?? "").contains(upload.says), "\(upload.name): \(verdict.json)")
      #expect(stage.federation.log.contains("client 5 (127.0.0.1) is rejected in round \(index + 1)"), "\(upload.name)")
    }
    try stage.expectUnharmed()
    #expect(try stage.federation.ledger().map { $0.clients("rejected") }.allSatisfy { $0 == [5] })
  }

  @Test("messages out of order, of other rounds and sessions, twice, replayed, or in another's name are passed over")
  func order() throws {
    let stage = try Stage(rounds: 4)
    let enemy = stage.enemy
    // Whole, and of the right shape: should any of it be taken, it is rejected.
    let none = WireClient.tensors("change", "F32", [Self.parameters], Self.floats(.nan))
    let total = UInt64(none.count)
    for round in 0..<3 {
      let order = try #require(enemy.wait(for: .order))
      let this = order.round
      #expect(this == UInt64(round))
      // Pieces before an offer, and of what was never granted.
      enemy.send(.piece, round: this, offset: 0, total: total, none)
      for other in [this &+ 1, this &- 1, UInt64.max, 1 << 63, UInt64.max - 1] {
        enemy.send(.offer, round: other, total: total, WireClient.report)
        enemy.send(.piece, round: other, offset: 0, total: total, none)
        enemy.send(.fetch, round: other, offset: 0, total: .max)
      }
      for session in [UInt64(0), 1, enemy.session &+ 1, .max] {
        enemy.send(.offer, round: this, total: total, session: session, WireClient.report)
        enemy.send(.leave, session: session)
      }
      for (offset, end) in [(UInt64(0), UInt64.max), (.max, .max), (.max, 0), (1 << 63, 1 << 63), (10, 5)] {
        enemy.send(.fetch, round: this, offset: offset, total: end)
        enemy.send(.fetch, round: .max, offset: offset, total: end)
      }
      // A greeting in another's name is refused, and moves nobody.
      for other in [0, -1, 1 << 40, Int.max] {
        enemy.send(.hello, session: 0, Array("{\"client\":\(other),\"program\":\"wire\"}".utf8))
        let refusal = try #require(enemy.wait(for: .refuse))
        #expect(refusal.json["cause"] as? String == "unauthorised")
      }
      // What only servers send.
      for kind in 65...73 {
        enemy.send(frames: [WireClient.Message(kind: UInt16(kind), session: enemy.session).header])
      }
      // The same offer a hundred times, pieces out of order and beyond the end, then one that counts for nothing.
      for _ in 0..<100 { enemy.send(.offer, round: this, total: UInt64(none.count), WireClient.report) }
      for offset in [UInt64(8), 1 << 40, .max, UInt64(none.count)] {
        enemy.send(.piece, round: this, offset: offset, total: total, none)
      }
      enemy.send(.piece, round: this, offset: 0, total: total, none + none)
      enemy.send(.piece, round: this, offset: 0, total: total, [])
      enemy.send(.piece, round: this, offset: 0, total: total)
      enemy.send(.piece, round: this, offset: 0, total: UInt64(none.count), Array(none.prefix(100)))
      enemy.send(.piece, round: this, offset: 0, total: UInt64(none.count), Array(none.prefix(100)))
      enemy.send(.piece, round: this, offset: 100, total: UInt64(none.count), Array(none.dropFirst(100)))
      enemy.send(.piece, round: this, offset: 0, total: UInt64(none.count), none)
      let verdict = try #require(enemy.wait(for: .verdict))
      #expect(["rejected", "late"].contains(verdict.json["outcome"] as? String))
    }
    // Everything once more, in the last round.
    _ = try #require(enemy.wait(for: .order))
    for frames in enemy.sent { enemy.send(frames: frames, isKept: false) }
    enemy.send(.decline, round: 3, Array("no more".utf8))
    try stage.expectUnharmed()
    #expect(stage.federation.log.contains("refused a greeting"))
  }

  /// One of the messages that a client may send, with something changed.
  private func mutated(_ dice: inout Dice, _ round: UInt64, _ session: UInt64, _ upload: [UInt8]) -> [[UInt8]] {
    let kinds: [UInt16] = [1, 2, 3, 4, 5, 7, 9]
    var message = WireClient.Message(kind: kinds.randomElement(using: &dice)!, session: session, round: round)
    switch message.kind {
    case 1: message.body = Array("{\"client\":5,\"program\":\"wire\"}".utf8)
    case 2: message.body = Array("{\"samples\":20,\"held\":0,\"process\":5}".utf8)
    case 4: (message.total, message.body) = (UInt64(upload.count), WireClient.report)
    case 5: message.body = upload
    case 3: message.total = UInt64.random(in: 0...4096, using: &dice)
    default:
      message.body = (0..<Int.random(in: 0...64, using: &dice)).map { _ in UInt8.random(in: 0...255, using: &dice) }
    }
    let words: [UInt64] = [0, 1, 39, 1 << 31, 1 << 32, 1 << 62, 1 << 63, .max, .max - 1]
    for _ in 0..<Int.random(in: 1...3, using: &dice) {
      let word = Bool.random(using: &dice) ? words.randomElement(using: &dice)! : dice.next() & 0xFFFF
      switch Int.random(in: 0...6, using: &dice) {
      case 0: message.round = word
      case 1: message.offset = word
      case 2: message.total = word
      case 3: message.session = word
      case 4: message.kind = UInt16(truncatingIfNeeded: word)
      case 5: message.version = UInt16(truncatingIfNeeded: word)
      default: break
      }
    }
    var frames = [message.header] + (message.body.map { [$0] } ?? [])
    for _ in 0..<Int.random(in: 0...3, using: &dice) {
      let index = frames.indices.randomElement(using: &dice)!
      let place = Int.random(in: 0...max(0, frames[index].count - 1), using: &dice)
      switch Int.random(in: 0...5, using: &dice) {
      case 0: if !frames[index].isEmpty { frames[index][place] ^= 1 << UInt8.random(in: 0...7, using: &dice) }
      case 1: frames[index] = Array(frames[index].prefix(place))
      case 2: frames[index] += frames[index].prefix(place)
      case 3: if !frames[index].isEmpty { frames[index][place] = UInt8.random(in: 0...255, using: &dice) }
      case 4: frames.append((0..<place % 16).map { UInt8($0) })
      default: frames.swapAt(0, index)
      }
    }
    return frames
  }

  @Test("ten thousand messages at random", arguments: [true, false])
  func fuzz(_ hasKeys: Bool) throws {
    let stage = try Stage(rounds: 3, hasKeys: hasKeys, deadline: hasKeys ? 30 : 5)
    let enemy = stage.enemy
    _ = try #require(enemy.wait(for: .order))
    let before = try #require(Measured.memory(stage.federation.server))
    var dice = Dice(hasKeys ? 21 : 22)
    // No numbers: should one of these messages come to be whole, its update is rejected.
    let upload = WireClient.tensors("change", "F32", [Self.parameters], Self.floats(.nan))
    for index in 0..<10_000 {
      enemy.send(frames: mutated(&dice, UInt64(index / 4000), enemy.session, upload), isKept: false)
    }
    // All of them have been read when the server answers this; another client's place may be what was fuzzed away.
    let last = try WireClient(stage.federation, client: Self.hostile)
    try last.join(samples: Self.samples)
    let after = try #require(Measured.memory(stage.federation.server))
    #expect(after < before + (64 << 20), "\(before) to \(after) bytes")
    while let message = last.receive(seconds: 60) {
      if message.kind == WireClient.Kind.order.rawValue { last.send(.decline, round: message.round, Array("no".utf8)) }
      if message.kind == WireClient.Kind.finished.rawValue { break }
    }
    last.send(.leave)
    if hasKeys {
      try stage.expectUnharmed()
    } else {
      // Without keys anybody can speak for anybody.
      let result = stage.federation.server.result()
      result.expectSuccess()
      #expect(try stage.federation.simulate(repeating: true).digest == result.digest)
    }
    let lines = stage.federation.log.split(separator: "\n")
    #expect(lines.count < 2_000, "\(lines.count) lines in the log")
  }

  @Test("a client that is ready with numbers that nobody has", arguments: [true, false])
  func ready(_ isAsynchronous: Bool) throws {
    let tool = try FederatedTrial.folder(Self.configuration)
    let changes =
      ["federated.network.deadline=\(isAsynchronous ? "null" : "2")"]
      + (isAsynchronous ? ["federated.asynchronous={buffer: 2, concurrency: 3}"] : [])
    let federation = try NetworkFederation(
      tool, ["federation.yaml"] + changes.flatMap { ["--set", $0] }, clients: 6)
    try federation.startServer()
    let enemy = try WireClient(federation, client: Self.hostile)
    enemy.send(.hello, session: 0, Array(#"{"client":5,"program":"wire"}"#.utf8))
    enemy.session = try #require(enemy.wait(for: .welcome)).session
    for number in [-1, Int.min, Int.max, 1 << 40, -1 << 40] {
      for body in [
        #"{"samples":20,"process":1,"working":\#(number)}"#, #"{"samples":20,"process":1,"held":\#(number)}"#,
        #"{"samples":\#(number),"process":1}"#,
      ] { enemy.send(.ready, Array(body.utf8)) }
    }
    // Possible, and of no round that there is.
    enemy.send(.ready, Array(#"{"samples":20,"process":1,"held":\#(1 << 39),"working":\#(1 << 39)}"#.utf8))
    for number in [-1, Int.min, Int.max] {
      let report = #"{"isAcceptable":true,"isWhole":true,"loss":1,"steps":1,"terms":10}"#
      for round in [UInt64(0), 1 << 39] {
        enemy.send(.offer, round: round, total: 100, Array(#"{"held":\#(number),"report":\#(report)}"#.utf8))
      }
    }
    // Everything has been read when this is answered.
    enemy.send(.hello, session: 0, Array(#"{"client":4,"program":"wire"}"#.utf8))
    _ = try #require(enemy.wait(for: .refuse))
    enemy.send(.leave)
    for client in 0..<5 { try federation.startClient(client) }
    let result = federation.expectEnd()
    #expect(try federation.simulate(repeating: true).digest == result.digest)
    #expect(federation.log.contains("says that it is ready, and makes no sense"))
  }

  @Test("a client that declines is shown to have, with what it said")
  func declined() throws {
    let tool = try FederatedTrial.folder(Self.configuration)
    let federation = try NetworkFederation(tool, ["federation.yaml"], clients: 6)
    try federation.startServer("--status", "http://127.0.0.1:0")
    let page = try #require(federation.server.errors.components(separatedBy: "status at ").dropFirst().first)
    let port = try #require(UInt16(page.prefix { !$0.isNewline }.split(separator: ":").last ?? ""))
    let enemy = try WireClient(federation, client: Self.hostile)
    try enemy.join(samples: Self.samples)
    let order = try #require(enemy.wait(for: .order))
    enemy.send(.decline, round: order.round, Array("no such work".utf8))
    #expect(federation.waitForLog("no such work"))
    let client = try #require(status(port)["clients"] as? [[String: Any]])[Self.hostile]
    #expect(client["state"] as? String == "rejected")
    #expect((client["remark"] as? String ?? "").contains("declines the round: no such work"), "\(client)")
  }

  private func status(_ port: UInt16) throws -> [String: Any] {
    let socket = try #require(Measured.connect(port))
    defer { close(socket) }
    let request = Array(
      "GET /status.json HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n".utf8)
    #expect(write(socket, request, request.count) == request.count)
    var answer: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = read(socket, &piece, piece.count), count > 0 { answer += piece.prefix(count) }
    let body = answer.drop { $0 != UInt8(ascii: "{") }
    return try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] ?? [:]
  }

  @Test("fetches without end, whose answers nobody reads, take no memory")
  func fetches() throws {
    let stage = try Stage(rounds: 2)
    let enemy = stage.enemy
    let order = try #require(enemy.wait(for: .order))
    let before = try #require(Measured.memory(stage.federation.server))
    for _ in 0..<50_000 {
      enemy.send(
        frames: [
          WireClient.Message(
            kind: 3, session: enemy.session, round: order.round, offset: 0, total: 4096
          ).header
        ], isKept: false)
    }
    let last = try WireClient(stage.federation, client: Self.hostile)
    try last.join(samples: Self.samples)
    for round in 0..<2 {
      _ = last.wait(for: .order)
      last.send(.decline, round: UInt64(round), Array("no".utf8))
    }
    let after = try #require(Measured.memory(stage.federation.server))
    #expect(after < before + (64 << 20), "\(before) to \(after) bytes")
    last.send(.leave)
    try stage.expectUnharmed()
  }

  @Test("500 connections that say nothing, and 500 that stop in the middle of their greeting")
  func connections() throws {
    let tool = try FederatedTrial.folder(Self.configuration)
    let federation = try NetworkFederation(
      tool, ["federation.yaml", "--set", "federated.network.deadline=null"], clients: 6)
    try federation.startServer()
    let port = try #require(UInt16(federation.address.split(separator: ":").last ?? ""))
    let before = try #require(Measured.memory(federation.server))
    // The signature and version of ZMTP 3.1, which the mechanism would follow.
    let greeting: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 1]
    var sockets: [Int32] = []
    defer { for socket in sockets { close(socket) } }
    for index in 0..<1_000 {
      let socket = try #require(Measured.connect(port))
      sockets.append(socket)
      if index % 2 == 1 { _ = greeting.withUnsafeBytes { write(socket, $0.baseAddress, $0.count) } }
    }
    for client in 0..<6 { try federation.startClient(client) }
    let result = federation.expectEnd()
    #expect(result.digest == (try federation.simulate().digest))
    let peak = result.json["peak_memory_bytes"] as? Int ?? .max
    #expect(peak < before + (64 << 20), "\(before) to \(peak) bytes")
  }
}
