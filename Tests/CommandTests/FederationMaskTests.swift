import Federated
import FederatedNetwork
import Foundation
import Testing

@Suite("Masked rounds go on without those who lie or are lost, and are skipped where they hide nobody", .serialized)
struct FederationMaskTests {
  /// Words of an input: the model's scalars and four more.
  private static let words = FederationHostileTests.parameters + 4

  /// Five honest clients and another one that speaks by hand; nothing but messages ends a round.
  private func stage(rounds: Int, _ changes: String...) throws -> (NetworkFederation, MaskedWireClient) {
    let tool = try FederatedTrial.folder(FederationHostileTests.configuration)
    let all = ["rounds=\(rounds)", "network.deadline=null", "secure-aggregation=secagg"] + changes
    let federation = try NetworkFederation(
      tool, ["federation.yaml"] + all.flatMap { ["--set", "federated.\($0)"] }, clients: 6)
    try federation.startServer()
    for client in 0..<5 { try federation.startClient(client) }
    let other = try MaskedWireClient(federation, client: FederationHostileTests.hostile)
    try other.join(samples: FederationHostileTests.samples)
    return (federation, other)
  }

  @Test("A client whose shares nobody can open is out of the round, and the others are in it")
  func garbage() throws {
    let (federation, liar) = try stage(rounds: 2)
    for _ in 0..<2 {
      let (client, round) = try liar.begin(words: Self.words)
      let honest = try client.share(try liar.relay(NeighbourKeys.self))
      let boxes = honest.shares.map { SealedShares(client: $0.client, box: [UInt8](repeating: 7, count: $0.box.count)) }
      liar.send(SharedSecrets(round: Int(round), commitment: honest.commitment, shares: boxes), round: round)
      let opened = try client.open(try liar.relay(DeliveredShares.self))
      liar.send(opened, round: round)
    }
    let result = federation.expectEnd()
    #expect(result.digest == (try federation.simulate(repeating: true).digest))
    for round in try federation.ledger() {
      #expect(round.clients("accepted") == Array(0..<5) && round.clients("lost") == [5])
    }
    #expect(federation.log.contains("has shares in round 1 that clients 0, 1, 2, 3, 4 cannot open"))
    try federation.expectVerified()
  }

  @Test(
    "A client that is lost after its upload is waited for no longer than its shares are needed",
    arguments: [true, false])
  func lost(_ leaves: Bool) throws {
    let (federation, other) = try stage(rounds: 1)
    let (client, round) = try other.begin(words: Self.words)
    other.send(try client.share(try other.relay(NeighbourKeys.self)), round: round)
    other.send(try client.open(try other.relay(DeliveredShares.self)), round: round)
    try client.pair(try other.relay(MaskPartners.self))
    try other.upload(client, round: round, words: Self.words)
    if leaves { other.wire.send(.leave) }
    let result = federation.expectEnd()
    #expect(result.json["updates"] as? Int == 6 && result.json["skipped_rounds"] as? Int == 0)
    #expect(try federation.ledger().map { $0.clients("accepted") } == [Array(0..<6)])
  }

  @Test("A round ends once its threshold is out of reach, whoever else may come")
  func outOfReach() throws {
    let (federation, other) = try stage(rounds: 1, "secure-aggregation={name: secagg, threshold: 6}")
    let (_, round) = try other.begin(words: Self.words)
    _ = try other.relay(NeighbourKeys.self)
    other.wire.send(.decline, round: round, Array("no".utf8))
    let result = federation.expectEnd()
    #expect(result.json["updates"] as? Int == 0 && result.json["skipped_rounds"] as? Int == 1)
    #expect(federation.log.contains("5 of 6 clients are left"))
  }

  @Test(
    "Cohorts too small to be masked are skipped, here and in the simulation",
    arguments: ["secagg", "{name: secagg+, neighbours: 2}"])
  func small(_ masks: String) throws {
    let changes = ["clients=5", "cohort=2", "rounds=12", "sampling=poisson", "secure-aggregation=\(masks)"]
    let federation = try NetworkFederation(
      try FederatedTrial.folder(),
      ["federation.yaml", "--set", "seed=2"] + changes.flatMap { ["--set", "federated.\($0)"] }, clients: 5)
    try federation.startServer()
    for client in 0..<5 { try federation.startClient(client) }
    let result = federation.expectEnd()
    let simulated = try federation.simulate()
    #expect(result.digest == simulated.digest && result.digest.count == 64)
    for key in ["updates", "lost", "skipped_rounds", "bytes_up", "bytes_down"] {
      #expect(result.json[key] as? Int == simulated.json[key] as? Int, "\(key)")
    }
    #expect((result.json["skipped_rounds"] as? Int ?? 0) > 0 && (result.json["updates"] as? Int ?? 0) > 0)
    for run in ["server", "simulated"] {
      let reason = "a cohort of 1 is too small to be masked, which takes 2 clients"
      #expect(try federation.tool.text("\(run)/log.txt").contains("takes no updates: \(reason)"), "\(run)")
      #expect(try federation.tool.text("\(run)/metrics.jsonl").contains(reason), "\(run)")
    }
    try federation.expectVerified()
  }

  @Test("More clients than are wanted, all of them masked")
  func overSelection() throws {
    let changes = [
      "clients=6", "cohort=3", "network={deadline: 20, over-selection: 1.5}", "secure-aggregation=secagg",
    ]
    let federation = try NetworkFederation(
      try FederatedTrial.folder(FederationHostileTests.configuration),
      ["federation.yaml"] + changes.flatMap { ["--set", "federated.\($0)"] }, clients: 6)
    try federation.startServer()
    for client in 0..<6 { try federation.startClient(client) }
    let result = federation.expectEnd()
    #expect(result.digest == (try federation.simulate(repeating: true).digest))
    #expect(result.json["skipped_rounds"] as? Int == 0)
  }
}
