import FederatedNetwork
import Testing

@Suite("The unmasked sum is the plain sum of the survivors, to the bit")
struct SecureAggregationSumTests {
  /// Clients, neighbours (0 for all), words.
  static let federations = [
    (2, 0, 1), (3, 0, 0), (3, 2, 7), (5, 0, 65), (7, 2, 2047), (8, 4, 4099), (9, 0, 33), (13, 4, 2048), (16, 6, 129),
    (23, 0, 77), (40, 8, 31), (41, 0, 3),
  ]
  static let stages: [SecureStage] = [.advertising, .sharing, .opening, .masking, .unmasking]

  @Test("Nobody drops", arguments: federations)
  func whole(_ clients: Int, _ neighbours: Int, _ words: Int) throws {
    for isAuthenticated in [false, true] {
      let trial = SecureTrial(
        clients, neighbours: neighbours == 0 ? nil : neighbours, words: words, isAuthenticated: isAuthenticated)
      let outcome = try trial()
      #expect(outcome.error == nil && outcome.refusals.isEmpty && outcome.suspects.isEmpty)
      #expect(outcome.survivors == trial.clients)
      #expect(outcome.sum == trial.sum(trial.clients))
    }
  }

  @Test("One drops, and as many as may, at every stage", arguments: federations, stages)
  func dropouts(_ federation: (Int, Int, Int), _ stage: SecureStage) throws {
    let (count, neighbours, words) = federation
    var trial = SecureTrial(count, neighbours: neighbours == 0 ? nil : neighbours, words: words)
    let slack = min(count, neighbours == 0 ? count : neighbours + 1) - trial.round.threshold
    for dropped in Set([1, slack]) where dropped <= slack && dropped > 0 {
      let who = Set((0..<dropped).map { trial.clients[($0 * 5 + 1) % count] })
      trial.drops = [stage: who]
      trial.order = UInt64(dropped)
      let outcome = try trial()
      #expect(outcome.error == nil)
      let survivors = trial.clients.filter { stage == .unmasking || !who.contains($0) }
      #expect(outcome.survivors == survivors)
      #expect(outcome.sum == trial.sum(survivors))
    }
  }

  @Test("Others drop at each stage of one round", arguments: [nil, 10])
  func dropoutsEverywhere(_ neighbours: Int?) throws {
    var trial = SecureTrial(22, neighbours: neighbours, threshold: neighbours == nil ? 12 : 6)
    trial.drops = [.advertising: [5], .sharing: [2, 35], .opening: [50], .masking: [8, 65], .unmasking: [11]]
    let outcome = try trial()
    let survivors = trial.clients.filter { ![5, 2, 35, 50, 8, 65].contains($0) }
    #expect(outcome.error == nil && outcome.survivors == survivors)
    #expect(outcome.sum == trial.sum(survivors))
  }

  @Test("Any order of arrival", arguments: 0..<8 as Range<UInt64>)
  func order(_ order: UInt64) throws {
    var trial = SecureTrial(9, neighbours: order % 2 == 0 ? nil : 4)
    trial.order = order
    #expect(try trial().sum == trial.sum(trial.clients))
  }

  @Test("Fewer than the threshold end the round with the reason", arguments: stages)
  func tooFew(_ stage: SecureStage) throws {
    var trial = SecureTrial(5)
    trial.drops = [stage: [2, 8]]
    let outcome = try trial()
    #expect(outcome.sum == nil && outcome.error?.kind == .tooFew)
    #expect(outcome.error?.message == "3 of 5 clients are left at the \(stage.rawValue), 4 are needed")
  }

  @Test(
    "Fewer than the threshold around one client end a sparse round",
    arguments: [.sharing, .opening, .masking] as [SecureStage])
  func tooFewAround(_ stage: SecureStage) throws {
    var trial = SecureTrial(20, neighbours: 4)
    let graph = try SecureGraph(trial.clients, neighbours: 4, seed: 5, round: 7)
    trial.drops = [stage: Set(graph.neighbourhood(2).filter { $0 != 2 }.prefix(2))]
    let outcome = try trial()
    #expect(outcome.sum == nil && outcome.error?.kind == .tooFew)
    #expect(outcome.error?.message.contains("3 of 5 clients around client") == true)
  }

  @Test("A masked input says nothing of the input: all differs from run to run, and bits are even")
  func masks() throws {
    let trial = SecureTrial(3, words: 4096)
    let (first, second) = (try trial(), try trial())
    #expect(first.sum == second.sum)
    for client in trial.clients {
      let (input, one, other) = (trial.input(client), first.masked[client]!, second.masked[client]!)
      #expect(zip(one, other).allSatisfy { $0 != $1 } && zip(one, input).allSatisfy { $0 != $1 })
      // Ones among 2¹⁸ fair bits: within ten deviations of 256.
      for difference in [zip(one, input).map { $0 ^ $1 }, zip(one, other).map { $0 ^ $1 }, one] {
        #expect(abs(difference.reduce(0) { $0 + $1.nonzeroBitCount } - (1 << 17)) < 2560)
      }
    }
    // Without what survivors reveal, the sum is masked too.
    var masked = [UInt64](repeating: 0, count: 4096)
    for words in first.masked.values { for place in words.indices { masked[place] &+= words[place] } }
    #expect(zip(masked, trial.sum(trial.clients)).allSatisfy { $0 != $1 })
  }

  @Test("A threshold out of reach is seen at once, whoever else may come", arguments: [nil, 4])
  func outOfReach(_ neighbours: Int?) throws {
    let trial = SecureTrial(9, neighbours: neighbours, threshold: neighbours == nil ? 7 : 4)
    let server = SecureServer(trial.round, clients: trial.clients, graphSeed: 5)
    let clients = Dictionary(uniqueKeysWithValues: trial.clients.map { ($0, trial.client($0)) })
    func expect(_ gone: Int, _ isPossible: Bool) {
      let lost = Set(trial.clients.suffix(gone))
      #expect(((try? server.check(without: lost)) != nil) == isPossible, "\(server.stage) without \(gone)")
    }
    expect(2, true)
    expect(neighbours == nil ? 3 : 6, false)
    for (number, client) in clients { try server.accept(client.advertise(), from: number) }
    // Whoever has sent what the stage needs is not lost to it.
    expect(9, true)
    for (number, keys) in try server.closeAdvertising() where number != 2 {
      try server.accept(clients[number]!.share(keys), from: number)
    }
    expect(9, true)
    #expect((try? server.check(without: [2])) != nil)
    let boxes = try server.closeSharing()
    expect(0, true)
    expect(5, false)
    for (number, shares) in boxes { try server.accept(clients[number]!.open(shares), from: number) }
    _ = try server.closeOpening()
    expect(0, true)
    expect(5, false)
  }

  @Test("Nobody needs to be waited for once every secret has enough shares")
  func early() throws {
    let trial = SecureTrial(4, threshold: 3)
    let server = SecureServer(trial.round, clients: trial.clients, graphSeed: 0)
    #expect(server.awaited == trial.clients && server.stage == .advertising && !server.isUnmaskable)
    let clients = Dictionary(uniqueKeysWithValues: trial.clients.map { ($0, trial.client($0)) })
    for (number, client) in clients { try server.accept(client.advertise(), from: number) }
    #expect(server.awaited.isEmpty)
    for (number, keys) in try server.closeAdvertising() {
      try server.accept(clients[number]!.share(keys), from: number)
    }
    for (number, shares) in try server.closeSharing() {
      try server.accept(clients[number]!.open(shares), from: number)
    }
    for (number, partners) in try server.closeOpening() {
      try clients[number]!.pair(partners)
      var words = trial.input(number)
      try words.withUnsafeMutableBufferPointer { (words) throws in try clients[number]!.mask(words) }
      try words.withUnsafeBytes { (bytes) throws in try server.accept(bytes, from: number, round: 7) }
    }
    let lists = try server.closeMasking()
    for (count, number) in trial.clients.prefix(3).enumerated() {
      #expect(!server.isUnmaskable && server.awaited.count == 4 - count)
      try server.accept(clients[number]!.reveal(lists[number]!), from: number)
    }
    #expect(server.isUnmaskable && server.awaited == [11])
    #expect(Array(try server.unmask()) == trial.sum(trial.clients))
    #expect(server.stage == .ended)
    #expect(throws: SecureAggregationError.self) { try server.unmask() }
  }
}
