/// A client's part in one masked round (Bonawitz et al., CCS 2017; Bell et al., CCS 2020), without any transport:
///
///     advertise → share → open → pair → mask → reveal
///
/// Each step takes the server's message and gives the answer.  The same message again, as after a broken connection, gets the
/// same answer; another one is refused.  An error changes nothing: whoever calls leaves the round, and the others go on without
/// the client as long as enough are left.
///
/// Who is trusted with what: the server may do anything to messages if clients know each other's long-term keys, and still sees
/// no share; it never gets both secrets of one client, as each client gives one of them and T is above half of a neighbourhood.
/// **Limits.**  Lists of survivors are not compared between clients (the consistency check of Bonawitz et al.): a server that
/// tells clients different ones learns sums of fewer inputs, in a complete graph with T above 2n/3 of no fewer than about half
/// of the cohort.  Without long-term keys, the server must be honest about keys too.  The sum itself, and who took part, are
/// the server's to see.
///
/// Differences from the papers: ChaCha20 and BLAKE2b; the seed b is committed to, so that wrong shares of it are found too; who
/// cannot open a neighbour's shares says so in place of leaving, and the two share no masks.
public final class SecureClient {
  private struct Secrets {
    let encryption = Secret.randomKey()
    let mask = Secret.randomKey()
    let seed = Secret.random()
  }

  /// Who it is.
  public let client: Int
  /// The round.
  public let round: SecureRound
  private let identity: Secret?
  private let publicKeys: [Int: [UInt8]]
  private let own: SecureParty
  /// Nil once they are not needed.
  private var secrets: Secrets?
  private var neighbours: [Int: SecureParty] = [:]
  private var channels: [Int: PairChannel] = [:]
  /// What it holds of its neighbourhood: a share of the seed, then one of the mask key.
  private var held: [Int: Secret] = [:]
  private var shared: (keys: NeighbourKeys, answer: SharedSecrets)?
  private var opened: (delivered: DeliveredShares, answer: OpenedShares)?
  private var paired: MaskPartners?
  private var revealed: (list: SurvivorList, answer: RevealedShares)?
  private var isMasked: Bool { paired != nil && secrets == nil }

  /// A client with keys of the system's randomness.  `identity` is its long-term key pair and `publicKeys` those of the others,
  /// by client; without them the server could be between any two clients.
  public init(_ client: Int, _ round: SecureRound, identity: KeyPair?, publicKeys: [Int: [UInt8]]) {
    precondition(client >= 0 && client <= UInt32.max, "client \(client)")
    precondition(publicKeys.values.allSatisfy { $0.count == KeyPair.bytes }, "a key of another length")
    self.client = client
    self.round = round
    self.identity = identity.map { Secret($0.secretKey) }
    self.publicKeys = publicKeys
    let secrets = Secrets()
    self.secrets = secrets
    own = SecureParty(
      client: client,
      keys: EphemeralKeys(encryption: secrets.encryption.publicKey, mask: secrets.mask.publicKey))
  }

  /// Stage 0: its ephemeral keys.
  public func advertise() -> KeyAdvertisement { KeyAdvertisement(round: round.round, keys: own.keys) }

  // MARK: Stage 1

  /// Shares both secrets among the neighbourhood.  Throws where it is too small or large, or has clients without a key.
  public func share(_ keys: NeighbourKeys) throws(SecureAggregationError) -> SharedSecrets {
    if let shared {
      if shared.keys == keys { return shared.answer }
      throw refusal("a second list of neighbours")
    }
    try check(keys.round, "neighbours")
    guard let secrets else { throw refusal("neighbours after the end") }
    let channels = try channels(keys.neighbours, secrets)
    let members = ([own] + keys.neighbours).sorted { $0.client < $1.client }
    let shares = members.map { _ in Secret(count: 2 * Secret.bytes) { _ in } }
    SecretSharing.split(secrets.seed, threshold: round.threshold, into: shares, at: 0)
    SecretSharing.split(secrets.mask, threshold: round.threshold, into: shares, at: Secret.bytes)
    var sealed: [SealedShares] = []
    for (member, share) in zip(members, shares) {
      guard let channel = channels[member.client] else {
        held[client] = share
        continue
      }
      sealed.append(SealedShares(client: member.client, box: channel.seal(share, from: client, to: member.client)))
    }
    let answer = SharedSecrets(
      round: round.round, commitment: PairKeys.commitment(secrets.seed, of: own, round), shares: sealed)
    self.channels = channels
    neighbours = Dictionary(uniqueKeysWithValues: keys.neighbours.map { ($0.client, $0) })
    shared = (keys, answer)
    return answer
  }

  private func channels(_ others: [SecureParty], _ secrets: Secrets) throws(SecureAggregationError)
    -> [Int: PairChannel]
  {
    guard others.count < round.largestNeighbourhood else { throw refusal("\(others.count) neighbours") }
    try require(others.count + 1, of: others.count + 1, at: .advertising)
    // Otherwise two halves of them could reveal both of its secrets.
    guard 2 * round.threshold > others.count + 1 else {
      throw refusal("a neighbourhood of \(others.count + 1) for a threshold of \(round.threshold)")
    }
    var channels: [Int: PairChannel] = [:]
    for other in others {
      guard other.client != client else { throw refusal("itself as a neighbour") }
      var known: (Secret, [UInt8])?
      if let identity {
        guard let key = publicKeys[other.client] else {
          throw refusal("client \(other.client) as a neighbour, whose public key it does not have", other.client)
        }
        known = (identity, key)
      }
      guard let channel = PairChannel(secrets.encryption, known, of: own, with: other, round) else {
        throw SecureAggregationError(
          .malformed, client: other.client, "client \(client) got a key of client \(other.client) that is none")
      }
      channels[other.client] = channel
    }
    return channels
  }

  /// Opens what its neighbours have shared with it, and names those who have not sealed it with the keys that both know.  Throws
  /// where too few have.
  public func open(_ delivered: DeliveredShares) throws(SecureAggregationError) -> OpenedShares {
    if let opened {
      if opened.delivered == delivered { return opened.answer }
      throw refusal("other shares after the first")
    }
    try check(delivered.round, "shares")
    guard shared != nil else { throw refusal("shares before neighbours") }
    try require(delivered.shares.count + 1, of: neighbours.count + 1, at: .sharing)
    var fresh: [Int: Secret] = [:]
    var closed: [Int] = []
    for sealed in delivered.shares {
      guard let channel = channels[sealed.client] else {
        throw refusal("shares of client \(sealed.client), which is no neighbour", sealed.client)
      }
      if let shares = channel.open(sealed.box, from: sealed.client, to: client) {
        fresh[sealed.client] = shares
      } else {
        closed.append(sealed.client)
      }
    }
    guard fresh.count + 1 >= round.threshold else {
      throw SecureAggregationError(
        .forged, client: closed.first,
        "client \(client) cannot open the shares of clients \(closed.map(String.init).joined(separator: ", ")): they, or keys "
          + "of one of both, were changed")
    }
    let answer = OpenedShares(round: round.round, closed: closed)
    held.merge(fresh) { own, _ in own }
    opened = (delivered, answer)
    channels = [:]
    return answer
  }

  /// Takes the neighbours that it shares masks with: only such whose shares it holds, and T − 1 of them at least.
  public func pair(_ partners: MaskPartners) throws(SecureAggregationError) {
    if let paired {
      if paired == partners { return }
      throw refusal("a second list of partners")
    }
    try check(partners.round, "partners")
    guard opened != nil else { throw refusal("partners before shares") }
    if let stranger = partners.clients.first(where: { $0 == client || held[$0] == nil }) {
      throw refusal("client \(stranger) as a partner, whose shares it has not opened", stranger)
    }
    try require(partners.clients.count + 1, of: held.count, at: .opening)
    let chosen = Set(partners.clients + [client])
    held = held.filter { chosen.contains($0.key) }
    paired = partners
  }

  // MARK: Stage 2

  /// Adds all masks to its input: y_i = x_i + PRG(b_i) + Σ_{j<i} PRG(s_ij) − Σ_{j>i} PRG(s_ij) modulo 2⁶⁴, over its partners.
  /// Only once: the difference of two inputs under one mask would show.  What was masked is to be kept
  /// until the server has it.  Cost: a pass of ChaCha20 for each neighbour and itself.
  public func mask(_ words: UnsafeMutableBufferPointer<UInt64>) throws(SecureAggregationError) {
    precondition(words.count == round.words, "an input of \(words.count) words in a round of \(round.words)")
    guard paired != nil else { throw refusal("an input before partners") }
    guard let secrets else { throw refusal("a second input") }
    var keys: [(other: Int, key: Secret)] = []
    for other in held.keys where other != client {
      guard let party = neighbours[other] else { continue }
      guard let key = PairKeys.mask(secrets.mask, of: own, with: party, round) else {
        throw SecureAggregationError(
          .malformed, client: other, "client \(client) got a key of client \(other) that is none")
      }
      keys.append((other, key))
    }
    let stream = MaskStream()
    stream.apply(PairKeys.ownMask(secrets.seed, of: own, round), to: words)
    for (other, key) in keys { stream.apply(key, to: words, subtracting: other > client) }
    self.secrets = nil
  }

  // MARK: Stage 3

  /// Gives the share of one secret of each client whose shares it has: of the seed for survivors, of the mask key for those who
  /// dropped.  Throws, and gives nothing, for a list that is too short, has strangers or lacks the client itself, and for any
  /// second one: with two lists a server could learn both secrets of a client.
  public func reveal(_ list: SurvivorList) throws(SecureAggregationError) -> RevealedShares {
    if let revealed {
      if revealed.list == list { return revealed.answer }
      throw refusal("a second list of survivors")
    }
    try check(list.round, "survivors")
    guard isMasked else { throw refusal("survivors before its own input") }
    let survivors = Set(list.survivors)
    guard survivors.contains(client) else { throw refusal("survivors without itself") }
    if let stranger = list.survivors.first(where: { held[$0] == nil }) {
      throw refusal("client \(stranger) as a survivor, which has shared nothing with it", stranger)
    }
    try require(survivors.count, of: held.count, at: .masking)
    var (seeds, keys): ([RevealedShares.Share], [RevealedShares.Share]) = ([], [])
    for (other, shares) in held.sorted(by: { $0.key < $1.key }) {
      if survivors.contains(other) {
        seeds.append(RevealedShares.Share(client: other, bytes: shares.revealed(0..<Secret.bytes)))
      } else {
        keys.append(RevealedShares.Share(client: other, bytes: shares.revealed(Secret.bytes..<2 * Secret.bytes)))
      }
    }
    let answer = RevealedShares(round: round.round, seeds: seeds, keys: keys)
    revealed = (list, answer)
    // The other halves are nobody's business any more.
    held = [:]
    return answer
  }

  // MARK: Refusals

  private func check(_ round: Int, _ what: String) throws(SecureAggregationError) {
    if round != self.round.round { throw refusal("\(what) of round \(round) in round \(self.round.round)") }
  }

  private func require(_ left: Int, of clients: Int, at stage: SecureStage) throws(SecureAggregationError) {
    if left < round.threshold {
      throw SecureAggregationError.tooFew(left, of: clients, at: stage, needed: round.threshold, around: client)
    }
  }

  private func refusal(_ what: String, _ other: Int? = nil) -> SecureAggregationError {
    SecureAggregationError(.refused, client: other, "client \(client) was given \(what), and refuses it")
  }
}
