import Foundation
import Testing

@Suite("The same federation, over a network", .serialized)
struct FederationNetworkTests {
  /// A small federation, with changes.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let changes: [String]
    /// What the server is told beside.
    var flags: [String] = []
    var clients = 5

    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "a cohort of two", changes: ["federated.cohort=2"]),
    Case(name: "a Poisson cohort", changes: ["federated.cohort=3", "federated.sampling=poisson"]),
    Case(name: "compressed up", changes: ["federated.compression.up={name: top-k, ratio: 0.1}"]),
    Case(name: "compressed down", changes: ["federated.compression.down={name: top-k, ratio: 0.1}"]),
    Case(
      name: "compressed up and down, with cohorts that change",
      changes: [
        "federated.cohort=3", "federated.compression.up={name: top-k, ratio: 0.1}",
        "federated.compression.down={name: top-k, ratio: 0.3}",
      ]),
    Case(
      name: "differential privacy, fixed clip",
      changes: ["federated.privacy={clip: 0.5, noise: 1, delta: 1e-3}"], flags: ["--fixed-noise"]),
    Case(
      name: "differential privacy, adaptive clip, Poisson cohort",
      changes: [
        "federated.cohort=3", "federated.sampling=poisson",
        "federated.privacy={clip: {name: adaptive, initial: 0.5}, noise: 0.2, delta: 1e-3}",
      ], flags: ["--fixed-noise"]),
    Case(name: "attackers with flipped signs", changes: ["federated.attack={name: sign-flip, share: 0.4}"]),
    Case(name: "attackers without numbers", changes: ["federated.attack={name: not-finite, share: 0.4}"]),
    Case(name: "masks among all", changes: ["federated.secure-aggregation=secagg"]),
    Case(name: "masks among neighbours", changes: ["federated.secure-aggregation={name: secagg+, neighbours: 4}"]),
    Case(
      name: "masks in Poisson cohorts, some of a single client",
      changes: ["seed=2", "federated.cohort=2", "federated.sampling=poisson", "federated.secure-aggregation=secagg"]),
    Case(
      name: "masks and stragglers", changes: ["federated.secure-aggregation=secagg", "federated.stragglers=0.4"]),
    Case(name: "stragglers", changes: ["federated.stragglers=0.5"]),
    Case(name: "changes cut to a length", changes: ["federated.clip=0.1"]),
  ]

  private static let compared = [
    "loss", "accuracy", "rounds", "updates", "rejected", "lost", "steps", "samples", "bytes_up", "bytes_down",
    "clients",
  ]

  /// Runs it with processes, in a random order of arrival, and simulated: all results are equal.
  private func expectSame(_ federation: NetworkFederation, flags: [String], seed: UInt64) throws {
    try federation.startServer(flags: flags)
    var dice = Dice(seed)
    try federation.startClients(&dice)
    let served = federation.expectEnd()
    guard served.status == 0 else { return }
    let simulated = try federation.simulate()
    #expect(served.digest.count == 64 && served.digest == simulated.digest)
    // A client does not send what cannot be summed, which a simulation counts as sent.
    let isWhole = simulated.json["rejected"] as? Int == 0
    for key in Self.compared where isWhole || key != "bytes_up" {
      #expect(served.json[key] as? Double == simulated.json[key] as? Double, "\(key)")
    }
    try federation.expectLedger(served)
    try federation.expectVerified()
  }

  @Test("has the digest of the simulation, for every strategy", arguments: FederatedTrial.all)
  func strategy(_ trial: FederatedTrial) throws {
    let federation = try NetworkFederation(try FederatedTrial.folder(), trial.words, clients: 9)
    try expectSame(federation, flags: [], seed: UInt64(trial.strategy.utf8.reduce(7) { 31 &* $0 &+ Int($1) } & 0xFFFF))
  }

  @Test("and whatever else is asked of it", arguments: cases)
  func options(_ example: Case) throws {
    let words = ["federation.yaml", "--set", "federated.clients=5", "--set", "federated.cohort=5"]
    let federation = try NetworkFederation(
      try FederatedTrial.folder(), words + example.changes.flatMap { ["--set", $0] }, clients: 5)
    try expectSame(federation, flags: example.flags, seed: 11)
  }

  @Test("in whatever order clients come", arguments: [1, 2, 3])
  func order(_ seed: UInt64) throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(), ["federation.yaml", "--set", "federated.strategy=scaffold"], clients: 9,
      hasKeys: seed != 3)
    try expectSame(federation, flags: [], seed: seed)
  }

  @Test("a client before its server")
  func early() throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(), ["federation.yaml", "--set", "federated.clients=5"], clients: 5)
    // The port is taken for a moment, to know one that is free.
    try federation.startServer()
    NetworkFederation.signal(federation.server, SIGKILL)
    for client in 0..<5 { try federation.startClient(client) }
    try federation.startServer("--resume")
    #expect(federation.expectEnd().digest == (try federation.simulate().digest))
  }

  @Test("over IPv6", .enabled(if: FileManager.default.fileExists(atPath: "/proc/net/if_inet6")))
  func newerAddresses() throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(), ["federation.yaml", "--set", "federated.clients=5"], clients: 5)
    federation.listen(at: "tcp://[::1]:0")
    try federation.startServer()
    #expect(federation.address.hasPrefix("tcp://[::1]:") && !federation.address.hasSuffix(":0"))
    for client in 0..<5 { try federation.startClient(client) }
    #expect(federation.expectEnd().digest == (try federation.simulate().digest))
  }
}
