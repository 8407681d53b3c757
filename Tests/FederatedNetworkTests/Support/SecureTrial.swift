import FederatedNetwork
import Tensors

/// A masked round among clients of this process.  Every message goes through its bytes, and may be changed on the way.
struct SecureTrial {
  var round: SecureRound
  /// Ascending, with gaps.
  var clients: [Int]
  /// Clients that stop before they answer in a stage.
  var drops: [SecureStage: Set<Int>] = [:]
  /// What messages arrive in which order.
  var order: UInt64 = 1
  var identities: [Int: KeyPair] = [:]
  /// Changes on the way: the client that receives or sends, and the message.
  var neighbours: (Int, NeighbourKeys) -> NeighbourKeys = { $1 }
  var advertised: (Int, KeyAdvertisement) -> KeyAdvertisement = { $1 }
  var shared: (Int, SharedSecrets) -> SharedSecrets = { $1 }
  var delivered: (Int, DeliveredShares) -> DeliveredShares = { $1 }
  var opened: (Int, OpenedShares) -> OpenedShares = { $1 }
  var partners: (Int, MaskPartners) -> MaskPartners = { $1 }
  var survivors: (Int, SurvivorList) -> SurvivorList = { $1 }
  var revealed: (Int, RevealedShares) -> RevealedShares = { $1 }

  /// Clients 2, 5, 8, …
  init(_ count: Int, neighbours: Int? = nil, threshold: Int? = nil, words: Int = 65, isAuthenticated: Bool = false) {
    let neighbourhood = min(count, (neighbours ?? count) + 1)
    round = SecureRound(
      federation: [1, 2, 3], round: 7, threshold: threshold ?? (2 * neighbourhood / 3 + 1), neighbours: neighbours,
      words: words)
    clients = (0..<count).map { 3 * $0 + 2 }
    if isAuthenticated { for client in clients { identities[client] = KeyPair.random() } }
  }

  /// What a round came to.
  struct Outcome {
    var sum: [UInt64]?
    var survivors: [Int] = []
    var error: SecureAggregationError?
    var refusals: [Int: SecureAggregationError] = [:]
    var masked: [Int: [UInt64]] = [:]
    var suspects: [(holder: Int, of: Int)] = []
    var complaints: [Int: [Int]] = [:]
  }

  /// Any words.
  func input(_ client: Int) -> [UInt64] {
    var random = RandomStream(seed: 11, .test, sample: UInt64(client))
    return (0..<round.words).map { _ in random.next() }
  }

  /// The plain sum of some clients' inputs.
  func sum(_ clients: [Int]) -> [UInt64] {
    var sum = [UInt64](repeating: 0, count: round.words)
    for client in clients { for (place, word) in input(client).enumerated() { sum[place] &+= word } }
    return sum
  }

  func client(_ client: Int) -> SecureClient {
    SecureClient(client, round, identity: identities[client], publicKeys: identities.mapValues(\.publicKey))
  }

  func callAsFunction() throws -> Outcome {
    var outcome = Outcome()
    do { try run(&outcome) } catch let error as SecureAggregationError { outcome.error = error }
    return outcome
  }

  private func run(_ outcome: inout Outcome) throws {
    let server = SecureServer(round, clients: clients, graphSeed: 5)
    var parts: [Int: SecureClient] = [:]
    for client in clients { parts[client] = self.client(client) }

    for client in senders(.advertising, Set(clients)) {
      let message = try advertised(client, KeyAdvertisement(parts[client]!.advertise().bytes))
      try attempt(client, &outcome) { try server.accept(message, from: client) }
    }
    let keys = try server.closeAdvertising()
    for client in senders(.sharing, Set(keys.keys)) {
      try attempt(client, &outcome) {
        let answer = try parts[client]!.share(neighbours(client, NeighbourKeys(keys[client]!.bytes)))
        try server.accept(shared(client, SharedSecrets(answer.bytes)), from: client)
      }
    }
    let boxes = try server.closeSharing()
    for client in senders(.opening, Set(boxes.keys)) {
      try attempt(client, &outcome) {
        let answer = try parts[client]!.open(delivered(client, DeliveredShares(boxes[client]!.bytes)))
        try server.accept(opened(client, OpenedShares(answer.bytes)), from: client)
      }
    }
    outcome.complaints = server.complaints
    let pairs = try server.closeOpening()
    for client in senders(.masking, Set(pairs.keys)) {
      var words = input(client)
      try attempt(client, &outcome) {
        try parts[client]!.pair(partners(client, MaskPartners(pairs[client]!.bytes)))
        try words.withUnsafeMutableBufferPointer { (words) throws in try parts[client]!.mask(words) }
        try words.withUnsafeBytes { (bytes) throws in try server.accept(bytes, from: client, round: round.round) }
      }
      outcome.masked[client] = words
    }
    let lists = try server.closeMasking()
    for client in senders(.unmasking, Set(lists.keys)) {
      try attempt(client, &outcome) {
        let answer = try parts[client]!.reveal(survivors(client, SurvivorList(lists[client]!.bytes)))
        try server.accept(revealed(client, RevealedShares(answer.bytes)), from: client)
      }
    }
    outcome.survivors = server.survivors
    defer { outcome.suspects = server.suspects }
    outcome.sum = Array(try server.unmask())
  }

  /// Who answers, in any order.
  private func senders(_ stage: SecureStage, _ asked: Set<Int>) -> [Int] {
    var random = RandomStream(seed: order, .test)
    return asked.subtracting(drops[stage] ?? []).sorted().shuffled(using: &random)
  }

  /// A client, or the server, that refuses leaves the client out from then on.
  private func attempt(_ client: Int, _ outcome: inout Outcome, _ body: () throws -> Void) throws {
    do { try body() } catch let error as SecureAggregationError { outcome.refusals[client] = error }
  }
}
