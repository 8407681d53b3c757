import Compression
import Federated
import FederatedNetwork
import Tensors
import Testing

@Suite("Sums of masked words are the sums of the plain path, to the bit")
struct MaskedLayoutTests {
  static let parts = [
    UploadPart("change", .change, count: 1003), UploadPart("control", .numbers, count: 41, isUnweighted: true),
    UploadPart("rates", .numbers, count: 5), UploadPart("signs", .votes, count: 77),
    UploadPart("nothing", .votes, count: 0), UploadPart("counts", .integers, count: 9),
  ]

  /// What a client would upload.
  private func upload(_ client: Int) -> (Upload, LocalOutcome) {
    var random = RandomStream(seed: 8, .test, sample: UInt64(client))
    let upload = Upload(Self.parts)
    for part in [0, 1, 2] {
      for place in upload.scalars(part).indices {
        upload.scalars(part)[place] = place == 0 ? (client % 2 == 0 ? 256 : -256) : random.normal() * 0.01
      }
    }
    for place in upload.bits(3).indices { upload.bits(3)[place] = UInt8(truncatingIfNeeded: random.next()) }
    for place in upload.integers(5).indices { upload.integers(5)[place] = Int64(random.below(1 << 40)) - 1 << 39 }
    var outcome = LocalOutcome()
    (outcome.steps, outcome.terms) = (3 + client, 600 * client)
    outcome.loss = client == 2 ? -0.75 : Double(random.uniform()) * 900
    return (upload, outcome)
  }

  /// Sums as a worker has them.
  private struct Sums {
    let sums = MaskedLayoutTests.parts.map {
      $0.kind == .change || $0.kind == .numbers ? FixedPointSum(count: $0.count) : nil
    }
    let votes = MaskedLayoutTests.parts.map { $0.kind == .votes ? VoteSum(count: $0.count) : nil }
    let integers = MaskedLayoutTests.parts.map { part -> UnsafeMutableBufferPointer<Int64>? in
      guard part.kind == .integers else { return nil }
      let words = UnsafeMutableBufferPointer<Int64>.allocate(capacity: part.count)
      words.initialize(repeating: 0)
      return words
    }

    func free() { for words in integers { words?.deallocate() } }

    /// Everything in one list.
    var words: [Int64] {
      sums.flatMap { $0.map { Array($0.words) } ?? [] } + votes.flatMap { $0.map { $0.words.map(Int64.init) } ?? [] }
        + integers.flatMap { $0.map { Array($0) } ?? [] }
    }

    func add(_ upload: Upload, weight: Int, _ scale: FixedPointScale) {
      for (index, part) in MaskedLayoutTests.parts.enumerated() {
        switch part.kind {
        case .change, .numbers:
          _ = sums[index]!.add(
            UnsafeBufferPointer(upload.scalars(index)), weight: part.isUnweighted ? 1 : weight, scale)
        case .votes: votes[index]!.add(UnsafeRawBufferPointer(upload.bits(index)))
        case .integers:
          for (place, word) in upload.integers(index).enumerated() { integers[index]![place] += word }
        }
      }
    }
  }

  @Test("Masked and plain, with weights and dropouts", arguments: [nil, 4], [0, 1])
  func sums(_ neighbours: Int?, _ dropped: Int) throws {
    let layout = MaskedLayout(Self.parts)
    #expect(layout.words == 1003 + 41 + 5 + 77 + 9 + 4 && layout.bytes == 8 * layout.words)
    let clients = Array(0..<7)
    let weights = clients.map { 1 + 599 * $0 }
    let scale = FixedPointScale(totalWeight: weights.reduce(0, +))
    let round = SecureRound(
      SecureAggregationOptions(neighbours: neighbours, threshold: 4), federation: [], round: 0, cohort: 7,
      words: layout.words)
    let server = SecureServer(round, clients: clients, graphSeed: 3)
    let parts = clients.map { SecureClient($0, round, identity: nil, publicKeys: [:]) }
    for client in clients { try server.accept(parts[client].advertise(), from: client) }
    for (client, keys) in try server.closeAdvertising() { try server.accept(parts[client].share(keys), from: client) }
    let expected = Sums()
    defer { expected.free() }
    var (whole, terms, steps, loss) = (0, 0, 0, 0.0)
    for (client, shares) in try server.closeSharing() { try server.accept(parts[client].open(shares), from: client) }
    for (client, partners) in try server.closeOpening() where client >= dropped {
      let (upload, outcome) = upload(client)
      var words = [UInt64](repeating: .max, count: layout.words)
      try words.withUnsafeMutableBufferPointer { (words) throws in
        #expect(
          layout.quantise(upload, outcome, isWhole: client % 3 == 0, weight: weights[client], scale, into: words))
        try parts[client].pair(partners)
        try parts[client].mask(words)
      }
      try words.withUnsafeBytes { (bytes) throws in try server.accept(bytes, from: client, round: 0) }
      expected.add(upload, weight: weights[client], scale)
      loss += outcome.loss
      whole += client % 3 == 0 ? 1 : 0
      terms += outcome.terms
      steps += outcome.steps
    }
    for (client, list) in try server.closeMasking() { try server.accept(parts[client].reveal(list), from: client) }
    let (sum, found) = (try server.unmask(), Sums())
    defer { found.free() }
    let told = server.survivors.reduce(0) { $0 + weights[$1] }
    layout.read(
      sum, weight: told, updates: server.survivors.count, sums: found.sums, votes: found.votes,
      integers: found.integers)
    let all = layout.totals(sum)
    withExtendedLifetime(server) {
      #expect(found.words == expected.words)
      #expect(
        found.sums[0]?.weight == told && found.sums[1]?.weight == 7 - dropped && found.votes[3]?.ballots == 7 - dropped)
      #expect(all.whole == whole && all.terms == terms && all.steps == steps)
      #expect(abs(all.loss - loss) <= 7 * 0x1p-21 && loss > 100)
    }
  }

  @Test("What the plain path rejects is not uploaded", arguments: [0, 1, 2], [Float.nan, .infinity, 256.00003])
  func rejected(_ part: Int, _ value: Float) {
    let (upload, outcome) = upload(1)
    let scale = FixedPointScale(totalWeight: 10)
    var words = [UInt64](repeating: 0, count: MaskedLayout(Self.parts).words)
    func quantise(_ outcome: LocalOutcome) -> Bool {
      words.withUnsafeMutableBufferPointer {
        MaskedLayout(Self.parts).quantise(upload, outcome, isWhole: true, weight: 10, scale, into: $0)
      }
    }
    #expect(quantise(outcome))
    var diverged = outcome
    diverged.loss = Double(value)
    #expect(quantise(diverged) == value.isFinite)
    upload.scalars(part)[3] = value
    #expect(!quantise(outcome))
  }

  @Test("Counts that no clients come to are cut, so that a run's never overflow")
  func counts() {
    let layout = MaskedLayout([UploadPart("counts", .integers, count: 1)])
    for word in [UInt64(Int64.max), UInt64(bitPattern: .min), UInt64.max, 1 << 62] {
      let words = [UInt64](repeating: word, count: layout.words)
      let totals = words.withUnsafeBufferPointer { layout.totals($0) }
      for count in [totals.steps, totals.terms] { #expect(0...1 << 44 ~= count) }
    }
  }

  @Test("Losses beyond 2³⁰ are cut there")
  func losses() {
    let layout = MaskedLayout([UploadPart("counts", .integers, count: 1)])
    let scale = FixedPointScale(totalWeight: 1)
    for (loss, expected) in [
      (1e300, 0x1p30), (-1e12, -0x1p30), (0x1p30, 0x1p30), (0.3, 0x1.33334p-2), (-0.3, -0x1.33334p-2),
    ] {
      var outcome = LocalOutcome()
      outcome.loss = loss
      var words = [UInt64](repeating: 0, count: layout.words)
      let isTaken = words.withUnsafeMutableBufferPointer {
        layout.quantise(Upload(layout.parts), outcome, isWhole: false, weight: 1, scale, into: $0)
      }
      #expect(isTaken && words.withUnsafeBufferPointer { layout.totals($0).loss } == expected)
    }
  }
}
