import Foundation
import Testing

@Suite("Whatever happens to servers and clients, the rounds come to the simulated result", .serialized)
struct FederationChaosTests {
  /// Six clients, twenty rounds; a hundred with NNDIST_FULL_TESTS.
  static let rounds = Way.isFull ? 100 : 20
  static let configuration = """
    name: federation
    seed: 5
    model: {name: mlp, widths: [4]}
    data: {name: digits, subset: 180}
    federated: {clients: 6, rounds: \(rounds), batch: 10, partition: iid, digest: 1 round, evaluate: 10}
    optimizer: {name: sgd, learning-rate: 0.05, momentum: 0.5}
    compute: {threads: 1}

    """

  /// What is federated, and how its rounds end.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let changes: [String]
    let seed: UInt64
    /// Whether rounds may go on without some, so that the simulation has to be told who took part.
    var goesOn = false

    var testDescription: String { name }
  }

  private static let deadline = "federated.network={deadline: 0.5, minimum: 2}"

  static let cases = [
    Case(name: "fedavg", changes: [], seed: 1),
    Case(name: "scaffold", changes: ["federated.strategy=scaffold"], seed: 2),
    Case(
      name: "scaffold, cohorts of three",
      changes: ["federated.strategy=scaffold", "federated.cohort=3"], seed: 3),
    Case(
      name: "compressed both ways, with what was left out before",
      changes: [
        "federated.compression={up: {name: top-k, ratio: 0.1}, down: {name: top-k, ratio: 0.2}}", "federated.cohort=4",
      ],
      seed: 4),
    Case(name: "fedavg with a deadline", changes: [deadline], seed: 5, goesOn: true),
    Case(name: "scaffold with a deadline", changes: [deadline, "federated.strategy=scaffold"], seed: 6, goesOn: true),
    Case(
      name: "masked",
      changes: ["federated.secure-aggregation=secagg", "federated.network={deadline: 1, minimum: 2}"], seed: 8,
      goesOn: true),
    Case(
      name: "scaffold, over-selected",
      changes: [
        "federated.strategy=scaffold", "federated.cohort=3",
        "federated.network={deadline: 5, minimum: 2, over-selection: 1.7}",
      ], seed: 7, goesOn: true),
  ]

  /// What befalls a federation, drawn from a seed: kills, restarts, and processes that stand still for a while.
  private struct Chaos {
    let federation: NetworkFederation
    var dice: Dice
    var dead: Set<Int> = []
    var frozen: Set<Int> = []

    /// Something happens.
    mutating func strike() throws {
      switch Int.random(in: 0..<8, using: &dice) {
      case 0, 1:
        NetworkFederation.signal(federation.server, SIGKILL)
        try federation.startServer("--resume")
      case 2, 3:
        guard let client = (0..<6).filter({ !dead.contains($0) && !frozen.contains($0) }).randomElement(using: &dice)
        else { return }
        NetworkFederation.signal(federation.commands[client]!, SIGKILL)
        dead.insert(client)
      case 4:
        guard let client = (0..<6).filter({ !dead.contains($0) && !frozen.contains($0) }).randomElement(using: &dice)
        else { return }
        NetworkFederation.signal(federation.commands[client]!, SIGSTOP)
        frozen.insert(client)
      default: try heal(among: 1)
      }
    }

    /// Brings back some of those that are dead or frozen.
    mutating func heal(among count: Int) throws {
      for client in dead.union(frozen).shuffled(using: &dice).prefix(count) {
        if dead.remove(client) != nil {
          try federation.startClient(client)
        } else {
          frozen.remove(client)
          NetworkFederation.signal(federation.commands[client]!, SIGCONT)
        }
      }
    }
  }

  @Test("processes killed, started again and frozen", arguments: cases)
  func processes(_ example: Case) throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(Self.configuration), ["federation.yaml"] + example.changes.flatMap { ["--set", $0] },
      clients: 6)
    try federation.startServer()
    var chaos = Chaos(federation: federation, dice: Dice(example.seed))
    try federation.startClients(&chaos.dice)
    var strikes = 0
    while federation.server.isRunning, federation.rounds < Self.rounds - 1, strikes < 2 * Self.rounds {
      // Not at a round that the test chooses; rounds that wait for somebody who is gone do not hold it up.
      let next = federation.rounds + Int.random(in: 1...2, using: &chaos.dice)
      for _ in 0..<40 where federation.rounds < next && federation.server.isRunning { usleep(10_000) }
      guard federation.server.isRunning, federation.rounds < Self.rounds - 1 else { break }
      try chaos.strike()
      strikes += 1
    }
    try chaos.heal(among: 6)
    let result = federation.server.result()
    result.expectSuccess()
    #expect(strikes > Self.rounds / 4, "\(strikes) strikes")
    let simulated = try federation.simulate(repeating: example.goesOn)
    #expect(result.digest == simulated.digest && result.digest.count == 64, "after \(strikes) strikes")
    #expect(result.json["rounds"] as? Int == Self.rounds)
    if !example.goesOn { #expect(result.json["updates"] as? Int == simulated.json["updates"] as? Int) }
    try federation.expectLedger(result)
    try federation.expectVerified()
    // Whoever was brought back too late for the last word finds no server.
    for command in federation.commands.values { NetworkFederation.signal(command, SIGKILL) }
  }

  @Test(
    "the server killed as often as it makes a round",
    arguments: [
      "strategy=scaffold", "secure-aggregation=secagg", "secure-aggregation={name: secagg+, neighbours: 4}",
    ])
  func server(_ change: String) throws {
    let federation = try NetworkFederation(
      try FederatedTrial.folder(Self.configuration), ["federation.yaml", "--set", "federated.\(change)"], clients: 6)
    try federation.startServer()
    for client in 0..<6 { try federation.startClient(client) }
    for round in 1...6 {
      #expect(federation.server.wait { federation.rounds >= round })
      NetworkFederation.signal(federation.server, SIGKILL)
      try federation.startServer("--resume")
    }
    let result = federation.expectEnd()
    #expect(result.digest == (try federation.simulate().digest))
    try federation.expectLedger(result)
    // No client had to train again what it had trained: the server asks for the upload that it has.
    let visits = try (0..<6).map { client -> Int in
      let object =
        try JSONSerialization.jsonObject(with: federation.tool.data("client\(client)/result.json")) as? [String: Any]
      return object?["visits"] as? Int ?? .max
    }
    #expect(visits.allSatisfy { $0 <= Self.rounds + 6 }, "\(visits)")
  }

  @Test("a client that offers what a process before it made is sent the whole model, not the step to it")
  func pending() throws {
    let changes = [
      "federated.clients=2", "federated.compression={up: {name: top-k, ratio: 0.1}, down: {name: top-k, ratio: 0.2}}",
    ]
    let federation = try NetworkFederation(
      try FederatedTrial.folder(Self.configuration), ["federation.yaml"] + changes.flatMap { ["--set", $0] }, clients: 2
    )
    try federation.startServer()
    for client in 0..<2 { try federation.startClient(client) }
    #expect(federation.server.wait { federation.rounds >= 3 })
    // The round that is open waits for client 1, and client 0 keeps its upload for it.
    NetworkFederation.signal(federation.commands[1]!, SIGSTOP)
    let kept = federation.tool.folder.appendingPathComponent("client0/pending.safetensors").path
    #expect(federation.server.wait { FileManager.default.fileExists(atPath: kept) })
    NetworkFederation.signal(federation.commands[0]!, SIGKILL)
    NetworkFederation.signal(federation.server, SIGKILL)
    try federation.startServer("--resume")
    try federation.startClient(0)
    NetworkFederation.signal(federation.commands[1]!, SIGCONT)
    let result = federation.expectEnd()
    #expect(result.digest == (try federation.simulate().digest))
    try federation.expectLedger(result)
  }

  /// Hosts of their own on this machine: a network namespace each, on one bridge.
  private final class Hosts {
    static let isPossible: Bool = {
      guard geteuid() == 0, let hosts = try? Hosts(1) else { return false }
      return hosts.isMade && hosts.limit(0, rate: "1mbit")
    }()

    let names: [String]
    private let bridge: String
    private(set) var isMade = false
    let subnet: String

    /// Makes some hosts, addresses 1, 2 and so on.
    init(_ count: Int) throws {
      let number = UInt32.random(in: 0..<1 << 20)
      bridge = "nnb\(number)"
      names = (0..<count).map { "nn\(number)-\($0)" }
      subnet = "10.\(64 + number % 64).\(number / 64 % 256)"
      guard Hosts.run("ip netns add \(bridge)"), Hosts.run("ip -n \(bridge) link add hub type bridge"),
        Hosts.run("ip -n \(bridge) link set hub up")
      else { return }
      for (index, name) in names.enumerated() {
        guard Hosts.run("ip netns add \(name)"), Hosts.run("ip -n \(name) link set lo up"),
          Hosts.run("ip link add wire netns \(name) type veth peer name port\(index) netns \(bridge)"),
          Hosts.run("ip -n \(bridge) link set port\(index) master hub up"),
          Hosts.run("ip -n \(name) address add \(subnet).\(index + 1)/24 dev wire"),
          Hosts.run("ip -n \(name) link set wire up")
        else { return }
      }
      isMade = true
    }

    deinit {
      for name in names + [bridge] { _ = Hosts.run("ip netns delete \(name)") }
    }

    /// What stands before a command to run it on a host.
    func space(_ host: Int) -> [String] { ["ip", "netns", "exec", names[host]] }

    /// Limits what leaves a host.
    func limit(_ host: Int, rate: String) -> Bool {
      Hosts.run("ip netns exec \(names[host]) tc qdisc add dev wire root tbf rate \(rate) burst 32kb latency 200ms")
    }

    /// Cuts a host's link, or joins it again.
    func link(_ host: Int, isUp: Bool) -> Bool {
      Hosts.run("ip -n \(names[host]) link set wire \(isUp ? "up" : "down")")
    }

    private static func run(_ line: String) -> Bool {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = line.split(separator: " ").map(String.init)
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      guard (try? process.run()) != nil else { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    }
  }

  @Test("links that are cut, joined again and slow", .enabled(if: Hosts.isPossible), arguments: [false, true])
  func links(_ hasDeadline: Bool) throws {
    let hosts = try Hosts(4)
    try #require(hosts.isMade)
    let changes =
      ["federated.clients=3", "federated.strategy=scaffold", "model.widths=[32]"]
      + (hasDeadline ? ["federated.network={deadline: 1, minimum: 1}"] : [])
    let federation = try NetworkFederation(
      try FederatedTrial.folder(Self.configuration), ["federation.yaml"] + changes.flatMap { ["--set", $0] }, clients: 3
    )
    federation.listen(at: "tcp://\(hosts.subnet).1:9000")
    try federation.startServer(in: hosts.space(0))
    #expect(hosts.limit(2, rate: "1mbit"))
    for client in 0..<3 { try federation.startClient(client, in: hosts.space(client + 1)) }
    var dice = Dice(9)
    for round in [2, 4, 6, 8] {
      #expect(federation.server.wait { federation.rounds >= round })
      let host = Int.random(in: 0..<4, using: &dice)
      #expect(hosts.link(host, isUp: false))
      // Long enough for rounds to meet the hole, with a deadline also to go on without.
      let seen = federation.rounds
      for _ in 0..<150 where federation.rounds < seen + 2 { usleep(10_000) }
      #expect(hosts.link(host, isUp: true))
    }
    let result = federation.server.result()
    result.expectSuccess()
    #expect(result.digest == (try federation.simulate(repeating: hasDeadline).digest) && result.digest.count == 64)
    try federation.expectLedger(result)
    try federation.expectVerified()
  }
}
