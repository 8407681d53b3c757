import FederatedNetwork
import Testing

@Suite("What was changed on the way is found and named, and no client gives both secrets of another")
struct SecureAggregationHostileTests {
  static func flipped(_ bytes: [UInt8], _ bit: Int) -> [UInt8] {
    var bytes = bytes
    bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    return bytes
  }

  @Test("A bit of a ciphertext", arguments: [0, 100, 191, 192, 500, 704, 831])
  func ciphertext(_ bit: Int) throws {
    var trial = SecureTrial(7, threshold: 4)
    trial.shared = { client, message in
      guard client == 5 else { return message }
      let shares = message.shares.map {
        SealedShares(client: $0.client, box: $0.client == 8 ? Self.flipped($0.box, bit) : $0.box)
      }
      return SharedSecrets(round: message.round, commitment: message.commitment, shares: shares)
    }
    // The receiver names the sender, the two share no masks, and both stay.
    var outcome = try trial()
    #expect(outcome.refusals.isEmpty && outcome.complaints == [5: [8]])
    #expect(outcome.survivors == trial.clients && outcome.sum == trial.sum(trial.clients))
    for dropped in [5, 8] {
      trial.drops = [.masking: [dropped]]
      outcome = try trial()
      #expect(outcome.survivors == trial.clients.filter { $0 != dropped })
      #expect(outcome.sum == trial.sum(outcome.survivors))
    }
  }

  /// One client of a round lies about shares: those that it sends, or those that it was sent.
  private func liar(_ trial: SecureTrial, _ liar: Int, to victims: Set<Int>, isSender: Bool) -> SecureTrial {
    var trial = trial
    if isSender {
      trial.shared = { client, message in
        guard client == liar else { return message }
        let shares = message.shares.map {
          SealedShares(client: $0.client, box: victims.contains($0.client) ? Self.flipped($0.box, 300) : $0.box)
        }
        return SharedSecrets(round: message.round, commitment: message.commitment, shares: shares)
      }
    } else {
      trial.opened = { client, message in
        client == liar ? OpenedShares(round: message.round, closed: victims.sorted()) : message
      }
    }
    return trial
  }

  @Test("A client that lies about all shares drops, and takes nobody along", arguments: [true, false], [nil, 6])
  func liars(_ isSender: Bool, _ neighbours: Int?) throws {
    let honest = SecureTrial(16, neighbours: neighbours, threshold: neighbours == nil ? 11 : 4)
    let graph = try SecureGraph(honest.clients, neighbours: neighbours, seed: 5, round: 7)
    let around = graph.neighbourhood(14).filter { $0 != 14 }
    var trial = liar(honest, 14, to: Set(around), isSender: isSender)
    // It shares masks with nobody, and whatever it sends is not asked for.
    for drops in [[], [20, 35]] as [Set<Int>] {
      trial.drops = [.masking: drops]
      let outcome = try trial()
      #expect(outcome.error == nil && outcome.refusals.isEmpty)
      #expect(outcome.survivors == trial.clients.filter { $0 != 14 && !drops.contains($0) })
      #expect(outcome.sum == trial.sum(outcome.survivors))
      #expect(outcome.complaints.keys.sorted() == (isSender ? [14] : around))
    }
  }

  @Test(
    "A client that lies about some shares stays as long as enough of its neighbours believe it",
    arguments: [true, false])
  func someLies(_ isSender: Bool) throws {
    let honest = SecureTrial(9, threshold: 6)
    for count in 1...8 {
      let outcome = try liar(honest, 5, to: Set(honest.clients.filter { $0 != 5 }.prefix(count)), isSender: isSender)()
      #expect(outcome.error == nil && outcome.refusals.isEmpty)
      #expect(outcome.survivors == honest.clients.filter { $0 != 5 || count <= 3 }, "\(count)")
      #expect(outcome.sum == honest.sum(outcome.survivors))
    }
  }

  @Test("Partners that must not be are refused")
  func pairs() throws {
    let trial = SecureTrial(5, threshold: 3)
    let server = SecureServer(trial.round, clients: trial.clients, graphSeed: 0)
    let clients = Dictionary(uniqueKeysWithValues: trial.clients.map { ($0, trial.client($0)) })
    for (number, client) in clients { try server.accept(client.advertise(), from: number) }
    for (number, keys) in try server.closeAdvertising() {
      try server.accept(clients[number]!.share(keys), from: number)
    }
    func refuses(_ list: [Int], round: Int = 7, _ kind: SecureAggregationError.Kind = .refused) {
      let error = #expect(throws: SecureAggregationError.self) {
        try clients[2]!.pair(MaskPartners(round: round, clients: list))
      }
      #expect(error?.kind == kind)
    }
    refuses([5, 8])
    let boxes = try server.closeSharing()
    // The box of client 14 comes damaged.
    let shares = boxes[2]!.shares.map {
      SealedShares(client: $0.client, box: $0.client == 14 ? Self.flipped($0.box, 9) : $0.box)
    }
    let answer = try clients[2]!.open(DeliveredShares(round: 7, shares: shares))
    #expect(answer.closed == [14])
    #expect(try clients[2]!.open(DeliveredShares(round: 7, shares: shares)) == answer)
    #expect(throws: SecureAggregationError.self) { try clients[2]!.open(boxes[2]!) }
    // Closed boxes are named of neighbours alone.
    for closed in [[2], [3], [5, 6]] {
      #expect(throws: SecureAggregationError.self) {
        try server.accept(OpenedShares(round: 7, closed: closed), from: 2)
      }
    }
    refuses([5, 8, 14])
    refuses([2, 5])
    refuses([3, 5])
    refuses([5], .tooFew)
    refuses([5, 8], round: 6)
    try clients[2]!.pair(MaskPartners(round: 7, clients: [5, 8]))
    try clients[2]!.pair(MaskPartners(round: 7, clients: [5, 8]))
    refuses([5, 11])
  }

  @Test("Ciphertexts for others, of others, or of another round")
  func exchanged() throws {
    var trial = SecureTrial(7, threshold: 4)
    trial.delivered = { client, message in
      guard client == 2 else { return message }
      let boxes = message.shares.map(\.box)
      let shares = message.shares.enumerated().map {
        SealedShares(client: $1.client, box: boxes[($0 + 1) % boxes.count])
      }
      return DeliveredShares(round: message.round, shares: shares)
    }
    let outcome = try trial()
    #expect(outcome.refusals.keys.sorted() == [2] && outcome.refusals[2]?.kind == .forged)
    #expect(outcome.sum == trial.sum(outcome.survivors))

    // What one sealed for another is not taken for what the other sealed, although their key is the same.
    trial = SecureTrial(2)
    var sealed: [Int: SealedShares] = [:]
    trial.shared = { client, message in
      sealed[client] = message.shares[0]
      return message
    }
    trial.delivered = { client, message in
      DeliveredShares(round: message.round, shares: [SealedShares(client: 7 - client, box: sealed[client]!.box)])
    }
    #expect(try trial().refusals.values.allSatisfy { $0.kind == .forged } && trial().error?.kind == .tooFew)
  }

  @Test("Keys of the server in place of a client's", arguments: [true, false], [true, false])
  func replacedKeys(_ isMask: Bool, _ isAuthenticated: Bool) throws {
    var trial = SecureTrial(7, threshold: 4, isAuthenticated: isAuthenticated)
    let own = KeyPair.random().publicKey
    trial.neighbours = { client, message in
      guard client == 8 else { return message }
      let neighbours = message.neighbours.map { party in
        party.client != 14
          ? party
          : SecureParty(
            client: 14,
            keys: EphemeralKeys(
              encryption: isMask ? party.keys.encryption : own, mask: isMask ? own : party.keys.mask))
      }
      return NeighbourKeys(round: message.round, neighbours: neighbours)
    }
    // Both see it, since the key of the pair is bound to all four keys, and share no masks.
    let outcome = try trial()
    #expect(outcome.refusals.isEmpty && outcome.complaints == [8: [14], 14: [8]])
    #expect(outcome.survivors == trial.clients && outcome.sum == trial.sum(trial.clients))
  }

  @Test("A server between two clients that know each other's keys cannot make a box that opens; otherwise it can")
  func serverBetween() throws {
    // The server plays client 14 towards client 8, with ephemeral keys of its own.
    for isAuthenticated in [true, false] {
      let trial = SecureTrial(2, isAuthenticated: isAuthenticated)
      let victim = trial.client(2)
      let server = SecureClient(
        5, trial.round, identity: isAuthenticated ? KeyPair.random() : nil,
        publicKeys: trial.identities.mapValues(\.publicKey))
      _ = try victim.share(
        NeighbourKeys(round: 7, neighbours: [SecureParty(client: 5, keys: server.advertise().keys)]))
      let forged = try server.share(
        NeighbourKeys(round: 7, neighbours: [SecureParty(client: 2, keys: victim.advertise().keys)]))
      let message = DeliveredShares(round: 7, shares: [SealedShares(client: 5, box: forged.shares[0].box)])
      do throws(SecureAggregationError) {
        _ = try victim.open(message)
        #expect(!isAuthenticated)
      } catch { #expect(isAuthenticated && error.kind == .forged && error.client == 5) }
    }
  }

  @Test("A client without a known key, itself, too few or too many are no neighbours")
  func neighbours() throws {
    let trial = SecureTrial(3, neighbours: 2, isAuthenticated: true)
    let keys = trial.client(5).advertise().keys
    func kind(_ clients: [Int]) -> SecureAggregationError.Kind? {
      let message = NeighbourKeys(round: 7, neighbours: clients.map { SecureParty(client: $0, keys: keys) })
      do throws(SecureAggregationError) {
        _ = try trial.client(2).share(message)
        return nil
      } catch { return error.kind }
    }
    #expect(kind([5, 8]) == nil)
    #expect(kind([5, 9]) == .refused && kind([2, 5]) == .refused && kind([5, 6, 8]) == .refused)
    #expect(kind([5]) == .tooFew && kind([]) == .tooFew)
    // With T = 3 of six, two lists of survivors could have both secrets.
    var half = SecureTrial(6, threshold: 3)
    half.round = SecureRound(federation: [], round: 7, threshold: 3, words: 1)
    #expect(try half().refusals.values.allSatisfy { $0.kind == .refused } && half().error?.kind == .tooFew)
    half.round = SecureRound(federation: [], round: 7, threshold: 4, words: 1)
    #expect(try half().sum == half.sum(half.clients))
  }

  @Test("Keys of small order are no keys, whoever sends them")
  func smallOrder() throws {
    let zeros = [UInt8](repeating: 0, count: 32)
    var trial = SecureTrial(5)
    trial.advertised = { client, message in
      client == 8
        ? KeyAdvertisement(round: 7, keys: EphemeralKeys(encryption: message.keys.encryption, mask: zeros)) : message
    }
    let outcome = try trial()
    #expect(outcome.refusals[8]?.kind == .malformed && outcome.sum == trial.sum([2, 5, 11, 14]))
    let message = NeighbourKeys(
      round: 7,
      neighbours: trial.clients.dropFirst().map {
        SecureParty(client: $0, keys: EphemeralKeys(encryption: zeros, mask: zeros))
      })
    #expect(throws: SecureAggregationError.self) { try trial.client(2).share(message) }
  }

  @Test(
    "A wrong share is left out and its holder named; too many wrong ones end the round",
    arguments: [0, 5, 77, 134, 135, 250])
  func wrongShare(_ bit: Int) throws {
    var trial = SecureTrial(7, threshold: 5)
    trial.drops = [.masking: [11]]
    func change(_ holders: Set<Int>, seeds: Bool) -> (Int, RevealedShares) -> RevealedShares {
      return { client, message in
        guard holders.contains(client) else { return message }
        func changed(_ share: RevealedShares.Share, _ isOne: Bool) -> RevealedShares.Share {
          guard isOne else { return share }
          // In bytes of their own: errors in one byte may cancel each other.
          let bit = (bit + 8 * client) % 256
          return RevealedShares.Share(client: share.client, bytes: Self.flipped(share.bytes, bit))
        }
        return RevealedShares(
          round: message.round, seeds: message.seeds.map { changed($0, seeds && $0.client == 5) },
          keys: message.keys.map { changed($0, !seeds && $0.client == 11) })
      }
    }
    for seeds in [true, false] {
      trial.revealed = change([14], seeds: seeds)
      var outcome = try trial()
      #expect(outcome.error == nil && outcome.sum == trial.sum(outcome.survivors))
      #expect(outcome.suspects.map(\.holder) == [14] && outcome.suspects.map(\.of) == [seeds ? 5 : 11])
      trial.revealed = change([14, 2], seeds: seeds)
      outcome = try trial()
      #expect(outcome.sum == nil && outcome.error?.kind == .forged && outcome.error?.client == (seeds ? 5 : 11))
      #expect(outcome.error?.message.contains(seeds ? "the seed of client 5" : "the mask key of client 11") == true)
    }
  }

  @Test("Survivors that must not be are refused, and nothing is given")
  func lists() throws {
    let (client, held) = try maskedClient()
    func refuses(_ survivors: [Int], round: Int = 7, _ kind: SecureAggregationError.Kind = .refused) {
      let error = #expect(throws: SecureAggregationError.self) {
        try client.reveal(SurvivorList(round: round, survivors: survivors))
      }
      #expect(error?.kind == kind)
    }
    refuses([2, 5, 8, 9, 11])
    refuses([5, 8, 11, 14])
    refuses(held, round: 6)
    refuses([2, 5, 8], .tooFew)
    refuses([], .refused)
    let answer = try client.reveal(SurvivorList(round: 7, survivors: [2, 5, 8, 14]))
    // The same list again, as after a broken connection.
    #expect(try client.reveal(SurvivorList(round: 7, survivors: [2, 5, 8, 14])) == answer)
    refuses([2, 5, 11, 14])
    refuses(held)
    refuses([2, 5, 8], .refused)
    // One secret of each, and never both.
    #expect(answer.seeds.map(\.client) == [2, 5, 8, 14] && answer.keys.map(\.client) == [11])
  }

  @Test("Nobody masks twice, before shares, or answers about survivors before its own input")
  func order() throws {
    let (client, _) = try maskedClient()
    var words = [UInt64](repeating: 0, count: 65)
    func mask(_ client: SecureClient) throws {
      try words.withUnsafeMutableBufferPointer { (words) throws in try client.mask(words) }
    }
    #expect(throws: SecureAggregationError.self) { try mask(client) }
    #expect(words.allSatisfy { $0 == 0 })
    let trial = SecureTrial(5)
    let fresh = trial.client(2)
    #expect(throws: SecureAggregationError.self) { try mask(fresh) }
    #expect(throws: SecureAggregationError.self) { try fresh.open(DeliveredShares(round: 7, shares: [])) }
    let list = SurvivorList(round: 7, survivors: trial.clients)
    #expect(throws: SecureAggregationError.self) { try fresh.reveal(list) }
    let parties = trial.clients.dropFirst().map { SecureParty(client: $0, keys: trial.client($0).advertise().keys) }
    let answer = try fresh.share(NeighbourKeys(round: 7, neighbours: parties))
    #expect(try fresh.share(NeighbourKeys(round: 7, neighbours: parties)) == answer)
    #expect(throws: SecureAggregationError.self) {
      try fresh.share(NeighbourKeys(round: 7, neighbours: Array(parties.dropLast())))
    }
    #expect(throws: SecureAggregationError.self) { try fresh.reveal(list) }
    #expect(throws: SecureAggregationError.self) { try mask(fresh) }
  }

  @Test("The server takes each message once, from those it asked, in its stage and round, and as long as it must be")
  func server() throws {
    let trial = SecureTrial(3, threshold: 2)
    let server = SecureServer(trial.round, clients: trial.clients, graphSeed: 0)
    let clients = Dictionary(uniqueKeysWithValues: trial.clients.map { ($0, trial.client($0)) })
    func refuses(_ kind: SecureAggregationError.Kind = .refused, _ body: () throws -> Void) {
      let error = #expect(throws: SecureAggregationError.self) { try body() }
      #expect(error?.kind == kind)
    }
    let words = [UInt64](repeating: 3, count: 65)
    func input(_ client: Int, count: Int = 65, round: Int = 7) throws {
      try words[..<count].withUnsafeBytes { (bytes) throws in try server.accept(bytes, from: client, round: round) }
    }
    let advertisement = clients[2]!.advertise()
    refuses { try server.accept(advertisement, from: 3) }
    refuses { try server.accept(KeyAdvertisement(round: 6, keys: advertisement.keys), from: 2) }
    refuses { try input(2) }
    refuses { _ = try server.closeSharing() }
    for (number, client) in clients { try server.accept(client.advertise(), from: number) }
    refuses { try server.accept(advertisement, from: 2) }
    let keys = try server.closeAdvertising()
    refuses { try server.accept(advertisement, from: 2) }
    let shares = try clients[2]!.share(keys[2]!)
    refuses(.malformed) { try server.accept(shares, from: 5) }
    try server.accept(shares, from: 2)
    refuses { try server.accept(shares, from: 2) }
    try server.accept(try clients[5]!.share(keys[5]!), from: 5)
    let boxes = try server.closeSharing()
    refuses { try server.accept(try clients[8]!.share(keys[8]!), from: 8) }
    refuses { try server.accept(OpenedShares(round: 7, closed: []), from: 8) }
    refuses { try input(2) }
    for number in [2, 5] { try server.accept(try clients[number]!.open(boxes[number]!), from: number) }
    refuses { try server.accept(OpenedShares(round: 7, closed: []), from: 2) }
    let partners = try server.closeOpening()
    #expect(partners.mapValues(\.clients) == [2: [5], 5: [2]])
    refuses { try input(8) }
    refuses(.malformed) { try input(2, count: 64) }
    refuses { try input(2, round: 8) }
    for number in [2, 5] {
      try clients[number]!.pair(partners[number]!)
      var masked = words
      try masked.withUnsafeMutableBufferPointer { (words) throws in try clients[number]!.mask(words) }
      try masked.withUnsafeBytes { (bytes) throws in try server.accept(bytes, from: number, round: 7) }
    }
    refuses { try input(2) }
    let lists = try server.closeMasking()
    refuses { try input(2) }
    let answer = try clients[2]!.reveal(lists[2]!)
    refuses(.malformed) {
      try server.accept(RevealedShares(round: 7, seeds: answer.seeds, keys: answer.seeds), from: 2)
    }
    refuses(.malformed) { try server.accept(RevealedShares(round: 7, seeds: [], keys: answer.seeds), from: 2) }
    refuses { try server.accept(answer, from: 8) }
    try server.accept(answer, from: 2)
    refuses { try server.accept(answer, from: 2) }
    try server.accept(try clients[5]!.reveal(lists[5]!), from: 5)
    #expect(Array(try server.unmask()) == words.map { $0 * 2 })
    refuses { try server.accept(answer, from: 2) }
  }

  /// Client 2 of five, T = 4, after its input; and whose shares it holds.
  private func maskedClient() throws -> (SecureClient, [Int]) {
    let trial = SecureTrial(5)
    let server = SecureServer(trial.round, clients: trial.clients, graphSeed: 0)
    let clients = Dictionary(uniqueKeysWithValues: trial.clients.map { ($0, trial.client($0)) })
    for (number, client) in clients { try server.accept(client.advertise(), from: number) }
    for (number, keys) in try server.closeAdvertising() {
      try server.accept(clients[number]!.share(keys), from: number)
    }
    for (number, shares) in try server.closeSharing() {
      try server.accept(clients[number]!.open(shares), from: number)
    }
    try clients[2]!.pair(try server.closeOpening()[2]!)
    var words = trial.input(2)
    try words.withUnsafeMutableBufferPointer { (words) throws in try clients[2]!.mask(words) }
    return (clients[2]!, trial.clients)
  }
}
