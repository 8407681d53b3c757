import Compression
import Federated
import Testing

@Suite("Votes are counted in integers")
struct VoteSumTests {
  private func ballot(_ update: [Float]) -> [UInt8] {
    var bits = [UInt8](repeating: 0, count: SignBits.byteCount(update.count))
    bits.withUnsafeMutableBytes { SignBits.pack(update, count: update.count, into: $0.baseAddress!) }
    return bits
  }

  @Test(
    "Counts, means and majorities of any number of ballots, merged in any grouping", arguments: [1, 8, 100, 1001],
    [1, 2, 7])
  func counting(_ count: Int, _ voters: Int) {
    let cohort = Cohort(clients: voters, count: count)
    let (left, right) = (VoteSum(count: count), VoteSum(count: count))
    for (voter, update) in cohort.updates.enumerated() {
      ballot(update).withUnsafeBytes { (voter % 3 == 1 ? left : right).add($0) }
    }
    left.merge(right)
    #expect(left.ballots == voters)
    let expected = (0..<count).map { i in cohort.updates.reduce(0) { $0 + ($1[i] >= 0 ? 1 : -1) } }
    #expect((0..<count).map { Int(left.votes[$0]) } == expected)
    var mean = [Float](repeating: .nan, count: count)
    mean.withUnsafeMutableBufferPointer { left.mean(into: $0) }
    #expect(zip(mean, expected).allSatisfy { abs($0 - Float($1) / Float(voters)) <= 1e-6 })

    let old = ballot(Cohort(clients: 1, count: count, seed: 9).updates[0])
    var bits = old
    bits.withUnsafeMutableBytes { left.decide($0) }
    for i in 0..<count {
      let was = old[i / 8] >> (i % 8) & 1 == 1
      #expect((bits[i / 8] >> (i % 8) & 1 == 1) == (expected[i] == 0 ? was : expected[i] > 0))
    }
  }
}
