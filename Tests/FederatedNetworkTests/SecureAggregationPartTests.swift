import CSodium
import FederatedNetwork
import Tensors
import Testing

@Suite("The parts of secure aggregation: shares, streams and graphs")
struct SecureAggregationPartTests {
  private typealias Share = (number: UInt8, bytes: [UInt8])

  private func shares(_ secret: Secret, threshold: Int, count: Int) -> [(number: UInt8, bytes: [UInt8])] {
    let targets = (0..<count).map { _ in Secret(count: 64) { _ in } }
    SecretSharing.split(secret, threshold: threshold, into: targets, at: 32)
    return targets.enumerated().map { (UInt8($0 + 1), $1.revealed(32..<64)) }
  }

  @Test(
    "Any T shares yield the secret, fewer do not",
    arguments: [(1, 1), (2, 2), (2, 3), (4, 5), (17, 24), (255, 255), (128, 255)])
  func sharing(_ threshold: Int, _ count: Int) {
    let secret = Secret.random()
    let bytes = secret.revealed(0..<32)
    let shares = shares(secret, threshold: threshold, count: count)
    var random = RandomStream(seed: 4, .test)
    for _ in 0..<5 {
      let some = shares.shuffled(using: &random)
      #expect(SecretSharing.join(Array(some[..<threshold])).revealed(0..<32) == bytes)
      if threshold > 1 { #expect(SecretSharing.join(Array(some[..<(threshold - 1)])).revealed(0..<32) != bytes) }
    }
    if threshold > 1 { #expect(shares.allSatisfy { $0.bytes != bytes }) }
  }

  @Test("Wrong shares are found wherever they are", arguments: [(3, 5), (4, 6), (5, 7), (27, 40)])
  func recovery(_ threshold: Int, _ count: Int) {
    let secret = Secret.random()
    let bytes = secret.revealed(0..<32)
    let right = shares(secret, threshold: threshold, count: count)
    for step in 1..<count {
      var shares = right
      let wrong = [step - 1, (step * 2 + 1) % count].sorted()
      // In bytes of their own: errors in one byte may cancel each other.
      for place in Set(wrong) { shares[place].bytes[place % 32] ^= UInt8(step) }
      let found = SecretSharing.recover(shares, threshold: threshold) { $0.revealed(0..<32) == bytes }
      #expect(found?.secret.revealed(0..<32) == bytes && found?.wrong == Set(wrong).sorted(), "\(wrong)")
    }
    var shares = right
    for place in 0...(count - threshold) { shares[place].bytes[place] ^= 1 }
    #expect(SecretSharing.recover(shares, threshold: threshold) { $0.revealed(0..<32) == bytes } == nil)
  }

  @Test("A mask is the stream of ChaCha20 in little-endian words", arguments: [0, 1, 7, 2047, 2048, 2049, 5000])
  func stream(_ count: Int) {
    let key = (0..<32).map { UInt8($0 * 5 + 1) }
    var expected = [UInt8](repeating: 0, count: 8 * count)
    _ = crypto_stream_chacha20(&expected, UInt64(8 * count), [UInt8](repeating: 0, count: 8), key)
    var words = (0..<count).map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }
    let before = words
    let stream = MaskStream()
    words.withUnsafeMutableBufferPointer { stream.apply(Secret(key), to: $0) }
    for place in 0..<count {
      let word = (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(expected[8 * place + $1]) }
      #expect(words[place] == before[place] &+ word)
    }
    words.withUnsafeMutableBufferPointer { stream.apply(Secret(key), to: $0, subtracting: true) }
    #expect(words == before)
  }

  @Test(
    "Neighbours are mutual, k each, connected, and a function of seed and round",
    arguments: [(3, 2), (9, 4), (40, 6), (300, 10)])
  func graph(_ count: Int, _ neighbours: Int) throws {
    let clients = (0..<count).map { 7 * $0 + 1 }
    func graph(_ seed: UInt64, _ round: Int) throws -> SecureGraph {
      try SecureGraph(clients.shuffled(), neighbours: neighbours, seed: seed, round: round)
    }
    let own = try graph(1, 2)
    #expect(try own == graph(1, 2))
    if count > neighbours + 1 { #expect(try own != graph(1, 3) && own != graph(2, 2) && !own.isComplete) }
    var reached: Set = [clients[0]]
    var edge = reached
    while !edge.isEmpty {
      edge = Set(edge.flatMap { own.neighbourhood($0) }).subtracting(reached)
      reached.formUnion(edge)
    }
    #expect(reached == Set(clients))
    for client in clients {
      let around = own.neighbourhood(client)
      #expect(around.count == min(count, neighbours + 1) && around == around.sorted() && around.contains(client))
      #expect(around.allSatisfy { own.neighbourhood($0).contains(client) })
    }
  }

  @Test("A complete graph has at most 255 clients, and few clients make a sparse one complete")
  func complete() throws {
    #expect(try SecureGraph(Array(0..<255), neighbours: nil, seed: 0, round: 0).neighbourhood(9) == Array(0..<255))
    let error = #expect(throws: SecureAggregationError.self) {
      try SecureGraph(Array(0..<256), neighbours: nil, seed: 0, round: 0)
    }
    #expect(error?.message.contains("secagg+") == true)
    #expect(try SecureGraph([4, 2, 9], neighbours: 6, seed: 0, round: 0).neighbourhood(4) == [2, 4, 9])
    #expect(try SecureGraph(Array(0..<1000), neighbours: 254, seed: 0, round: 0).neighbourhood(0).count == 255)
  }
}
