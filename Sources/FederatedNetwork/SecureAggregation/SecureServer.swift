import Federated
import Glibc

/// The server's part in one masked round, without any transport:
///
///     advertisements → closeAdvertising → shares → closeSharing → opened shares → closeOpening
///       → masked inputs → closeMasking → revealed shares → unmask
///
/// Messages of a stage come in any order; closing it, when all that are ``awaited`` have come or time is up, gives what each
/// client is to be sent.  Whoever has not sent by then has dropped.  Fewer than the threshold around anybody end the round with
/// a reason.  A message that is refused changes nothing.  Memory: one vector, and some 200 bytes for each neighbour of each client.  Nothing
/// of it outlives the process: a server that is started again begins the round anew, and so does each client with a fresh
/// ``SecureClient``.
public final class SecureServer {
  /// The round.
  public let round: SecureRound
  /// Where it stands.
  public internal(set) var stage = SecureStage.advertising
  /// Holders of shares that did not fit the others, and whose secret they were of; found while unmasking.  A reason to look, and
  /// no proof: several holders that agree on what they send can make others' shares not fit.
  public internal(set) var suspects: [(holder: Int, of: Int)] = []
  private let selected: [Int]
  private let graphSeed: UInt64
  private(set) var graph: SecureGraph?
  /// Whether all who are left are each other's neighbours, or partners.
  private var isComplete = false
  private(set) var keys: [Int: EphemeralKeys] = [:]
  private(set) var secrets: [Int: SharedSecrets] = [:]
  private var closed: [Int: Set<Int>] = [:]
  /// Who shares masks with whom, each with itself, ascending; empty before all that was shared has been opened.
  private(set) var partners: [Int: [Int]] = [:]
  private(set) var inputs: Set<Int> = []
  private(set) var revealed: [Int: RevealedShares] = [:]
  let sum: UnsafeMutableBufferPointer<UInt64>

  /// A round among selected clients.  `graphSeed` shuffles the ring of SecAgg+; the result does not depend on it.
  public init(_ round: SecureRound, clients: [Int], graphSeed: UInt64) {
    precondition(clients.allSatisfy { $0 >= 0 && $0 <= UInt32.max }, "clients \(clients)")
    self.round = round
    self.graphSeed = graphSeed
    selected = Set(clients).sorted()
    sum = .allocate(capacity: round.words)
    sum.initialize(repeating: 0)
  }

  deinit { sum.deallocate() }

  /// Clients that the stage still waits for, ascending.
  public var awaited: [Int] {
    switch stage {
    case .advertising: selected.filter { keys[$0] == nil }
    case .sharing: keys.keys.filter { secrets[$0] == nil }.sorted()
    case .opening: secrets.keys.filter { closed[$0] == nil }.sorted()
    case .masking: partners.keys.filter { !inputs.contains($0) }.sorted()
    case .unmasking: inputs.filter { revealed[$0] == nil }.sorted()
    case .ended: []
    }
  }

  /// Throws where too few are left even if all go on that are not gone; changes nothing.
  public func check(without gone: Set<Int>) throws(SecureAggregationError) {
    let lost = gone.intersection(awaited)
    switch stage {
    case .advertising:
      let left = selected.count - lost.count
      if left < round.threshold {
        throw SecureAggregationError.tooFew(left, of: selected.count, at: stage, needed: round.threshold)
      }
    case .sharing: try require(Set(keys.keys).subtracting(lost), of: keys.count, at: stage)
    case .opening: try require(Set(secrets.keys).subtracting(lost), of: secrets.count, at: stage)
    case .masking: try require(Set(partners.keys).subtracting(lost), of: partners.count, at: stage)
    case .unmasking: try require(inputs.subtracting(lost), of: inputs.count, at: stage)
    case .ended: break
    }
  }

  /// Clients whose input is in the sum, ascending; complete once masking is closed.
  public var survivors: [Int] { inputs.sorted() }

  // MARK: Stage 0

  /// Takes a client's ephemeral keys.
  public func accept(_ message: KeyAdvertisement, from client: Int) throws(SecureAggregationError) {
    try check(client, .advertising, message.round)
    let probe = Secret.randomKey()
    guard probe.agree(with: message.keys.encryption) != nil, probe.agree(with: message.keys.mask) != nil else {
      throw SecureAggregationError(.malformed, client: client, "client \(client) advertised a key that is none")
    }
    keys[client] = message.keys
  }

  /// Fixes the graph: what each client that advertised is to be sent.
  public func closeAdvertising() throws(SecureAggregationError) -> [Int: NeighbourKeys] {
    try begin(closing: .advertising)
    guard keys.count >= round.threshold else {
      throw SecureAggregationError.tooFew(keys.count, of: selected.count, at: .advertising, needed: round.threshold)
    }
    let graph = try SecureGraph(
      Array(keys.keys), neighbours: round.neighbours, seed: graphSeed, round: round.round)
    self.graph = graph
    isComplete = graph.isComplete
    stage = .sharing
    var messages: [Int: NeighbourKeys] = [:]
    for client in graph.clients {
      let others = graph.neighbourhood(client).filter { $0 != client }
      messages[client] = NeighbourKeys(round: round.round, neighbours: others.compactMap { party($0) })
    }
    return messages
  }

  // MARK: Stage 1

  /// Takes a client's encrypted shares: exactly one box for each of its neighbours.
  public func accept(_ message: SharedSecrets, from client: Int) throws(SecureAggregationError) {
    try check(client, .sharing, message.round)
    guard let graph, message.shares.map(\.client) == graph.neighbourhood(client).filter({ $0 != client }) else {
      throw SecureAggregationError(
        .malformed, client: client, "client \(client) has not shared its secrets with its neighbours, or with others")
    }
    secrets[client] = message
  }

  /// What each client that shared is to be sent.
  public func closeSharing() throws(SecureAggregationError) -> [Int: DeliveredShares] {
    try begin(closing: .sharing)
    try require(Set(secrets.keys), of: keys.count, at: .sharing)
    stage = .opening
    guard let graph else { return [:] }
    var inboxes: [Int: [SealedShares]] = [:]
    for (sender, message) in secrets.sorted(by: { $0.key < $1.key }) {
      for share in message.shares {
        inboxes[share.client, default: []].append(SealedShares(client: sender, box: share.box))
      }
    }
    var messages: [Int: DeliveredShares] = [:]
    for client in graph.clients where secrets[client] != nil {
      messages[client] = DeliveredShares(round: round.round, shares: inboxes[client] ?? [])
    }
    return messages
  }

  /// Takes whose shares a client could not open.
  public func accept(_ message: OpenedShares, from client: Int) throws(SecureAggregationError) {
    try check(client, .opening, message.round)
    let around = graph?.neighbourhood(client) ?? []
    guard message.closed.allSatisfy({ $0 != client && secrets[$0] != nil && around.contains($0) }) else {
      throw SecureAggregationError(
        .malformed, client: client, "client \(client) could not open shares that it was not sent")
    }
    closed[client] = Set(message.closed)
  }

  /// Clients whose shares others could not open, and who those were: either may be the one that lies.
  public var complaints: [Int: [Int]] {
    var complaints: [Int: [Int]] = [:]
    for (client, others) in closed.sorted(by: { $0.key < $1.key }) {
      for other in others { complaints[other, default: []].append(client) }
    }
    return complaints
  }

  /// Fixes who shares masks with whom: all neighbours of whom each has opened the other's shares, so that whoever lies about
  /// shares loses others no more than one neighbour.  Those who keep fewer than T − 1 drop, and so on: what is left then is the
  /// same in whatever order they do.  What each of the others is to be sent.
  public func closeOpening() throws(SecureAggregationError) -> [Int: MaskPartners] {
    try begin(closing: .opening)
    try require(Set(closed.keys), of: secrets.count, at: .opening)
    guard let graph else { return [:] }
    var left: [Int: Set<Int>] = [:]
    for (client, others) in closed {
      left[client] = Set(
        graph.neighbourhood(client).filter { other in
          closed[other].map { !$0.contains(client) && !others.contains(other) } ?? false
        })
    }
    var weak = left.keys.filter { left[$0].map { $0.count < round.threshold } ?? false }
    while let client = weak.popLast() {
      for other in left.removeValue(forKey: client) ?? [] where other != client {
        left[other]?.remove(client)
        if let count = left[other]?.count, count == round.threshold - 1 { weak.append(other) }
      }
    }
    guard left.count >= round.threshold else {
      throw SecureAggregationError.tooFew(left.count, of: secrets.count, at: .opening, needed: round.threshold)
    }
    partners = left.mapValues { $0.sorted() }
    isComplete = graph.isComplete && partners.values.allSatisfy { $0.count == partners.count }
    stage = .masking
    return Dictionary(
      uniqueKeysWithValues: partners.map { client, others in
        (client, MaskPartners(round: round.round, clients: others.filter { $0 != client }))
      })
  }

  // MARK: Stage 2

  /// Adds a client's masked input: 64-bit words, little-endian.  Cost: one pass.
  public func accept(_ input: UnsafeRawBufferPointer, from client: Int, round: Int) throws(SecureAggregationError) {
    try check(client, .masking, round)
    guard input.count == 8 * sum.count else {
      throw SecureAggregationError(
        .malformed, client: client,
        "the masked input of client \(client) has \(input.count) bytes in place of \(8 * sum.count)")
    }
    inputs.insert(client)
    guard let source = input.baseAddress, let target = sum.baseAddress else { return }
    SecureServer.add(source, to: target, count: sum.count)
  }

  @inline(never)
  private static func add(_ source: UnsafeRawPointer, to target: UnsafeMutablePointer<UInt64>, count: Int) {
    var i = 0
    while i < count {
      target[i] = target[i] &+ UInt64(littleEndian: source.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self))
      i &+= 1
    }
  }

  /// Fixes whose inputs are summed: what each of them is to be sent.  Later inputs are refused.
  public func closeMasking() throws(SecureAggregationError) -> [Int: SurvivorList] {
    try begin(closing: .masking)
    try require(inputs, of: partners.count, at: .masking)
    stage = .unmasking
    var messages: [Int: SurvivorList] = [:]
    for client in inputs {
      messages[client] = SurvivorList(
        round: round.round, survivors: (partners[client] ?? []).filter { inputs.contains($0) })
    }
    return messages
  }

  // MARK: Stage 3

  /// Takes a client's shares: of exactly the secrets that it was asked for.
  public func accept(_ message: RevealedShares, from client: Int) throws(SecureAggregationError) {
    try check(client, .unmasking, message.round)
    let around = partners[client] ?? []
    guard
      message.seeds.map(\.client) == around.filter({ inputs.contains($0) }),
      message.keys.map(\.client) == around.filter({ !inputs.contains($0) })
    else {
      throw SecureAggregationError(
        .malformed, client: client, "client \(client) has not revealed the shares that it was asked for")
    }
    revealed[client] = message
  }

  // MARK: Checks

  func party(_ client: Int) -> SecureParty? { keys[client].map { SecureParty(client: client, keys: $0) } }

  private func check(_ client: Int, _ wanted: SecureStage, _ round: Int) throws(SecureAggregationError) {
    guard round == self.round.round else {
      throw SecureAggregationError(
        .refused, client: client, "client \(client) sent a message of round \(round) in round \(self.round.round)")
    }
    guard stage == wanted else {
      throw SecureAggregationError(
        .refused, client: client,
        "a message of client \(client) for the \(wanted.rawValue) came at the \(stage.rawValue)")
    }
    let (isMember, isThere) =
      switch wanted {
      case .advertising: (selected.contains(client), keys[client] != nil)
      case .sharing: (keys[client] != nil, secrets[client] != nil)
      case .opening: (secrets[client] != nil, closed[client] != nil)
      case .masking: (partners[client] != nil, inputs.contains(client))
      case .unmasking, .ended: (inputs.contains(client), revealed[client] != nil)
      }
    guard isMember else {
      throw SecureAggregationError(
        .refused, client: client, "client \(client) has no part in the \(wanted.rawValue)")
    }
    guard !isThere else {
      throw SecureAggregationError(
        .refused, client: client, "client \(client) sent a second message for the \(wanted.rawValue)")
    }
  }

  func begin(closing wanted: SecureStage) throws(SecureAggregationError) {
    guard stage == wanted else {
      throw SecureAggregationError(.refused, "the \(wanted.rawValue) cannot be closed at the \(stage.rawValue)")
    }
    // Until everything is right: a round that has failed takes nothing more.
    stage = .ended
  }

  /// Makes sure that T of the neighbourhood of everybody who has shared secrets, or of partners, are left: nobody else can
  /// recover them.
  func require(_ left: Set<Int>, of before: Int, at stage: SecureStage) throws(SecureAggregationError) {
    guard let graph else { preconditionFailure("the \(stage.rawValue) before a graph") }
    guard !isComplete && left.count >= round.threshold else {
      if left.count >= round.threshold { return }
      throw SecureAggregationError.tooFew(left.count, of: before, at: stage, needed: round.threshold)
    }
    for client in (partners.isEmpty ? Array(secrets.keys) : Array(partners.keys)).sorted() {
      let around = partners[client] ?? graph.neighbourhood(client)
      let count = around.count { left.contains($0) }
      guard count >= round.threshold else {
        throw SecureAggregationError.tooFew(
          count, of: around.count, at: stage, needed: round.threshold, around: client)
      }
    }
  }
}
