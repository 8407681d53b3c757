import Communication
import Testing
import Training

@Suite("What a host has no memory for is refused on all ranks alike")
struct MemoryEstimateTests {
  private static let needs = MemoryEstimate([(.weights, 3 << 20), (.activations, 5 << 20)])

  /// What each rank is told on machines with so many bytes free; by rank, its host and what it needs.
  private func messages(_ ranks: [(host: String, needs: MemoryEstimate)], available: Int) -> [String] {
    InProcessCommunicator.run(ranks: ranks.count) { communicator in
      let rank = ranks[communicator.rank]
      try rank.needs.require(for: "training m", communicator, host: rank.host, available: available)
    }.map { outcome in
      if case .failure(let error) = outcome { RunError(error).message } else { "" }
    }
  }

  @Test("the ranks of one host count together, those of others do not")
  func hosts() {
    let one = messages([("a", Self.needs), ("a", Self.needs), ("a", Self.needs)], available: 24 << 20)
    #expect(one == ["", "", ""])
    let many = messages([("a", Self.needs), ("a", Self.needs), ("a", Self.needs)], available: 23 << 20)
    #expect(Set(many).count == 1)
    #expect(
      many[0].hasPrefix(
        "training m needs 24.0 MiB of memory on host a (3 ranks: weights 9.0, activations 15.0), and 23.0 MiB are free; "
          + "lower training.batch"))
    #expect(many[0].hasSuffix("or start fewer ranks here"))
    #expect(messages([("a", Self.needs), ("b", Self.needs)], available: 8 << 20) == ["", ""])
  }

  @Test("the host that lacks memory is named to all, whoever lives there")
  func named() {
    let large = MemoryEstimate([(.optimizer, 5 << 30)])
    let told = messages([("a", Self.needs), ("b c", large), ("a", Self.needs)], available: 4 << 30)
    #expect(Set(told).count == 1)
    #expect(
      told[0] == "training m needs 5.0 GiB of memory on host b c (1 rank: optimizer 5.0), and 4.0 GiB are free; "
        + "make the model smaller")
  }
}
