import FederatedNetwork
import Testing

@Suite("Of a masked round shares are revealed for one list of survivors, whatever a server says")
struct RevealedRoundsTests {
  @Test("The same list again is answered, another one never")
  func lists() {
    var revealed = RevealedRounds()
    #expect(revealed.allows("a", round: 3))
    #expect(revealed.add("a", round: 3) && !revealed.add("a", round: 3))
    #expect(revealed.allows("a", round: 3) && !revealed.allows("b", round: 3))
    #expect(revealed.allows("b", round: 2) && revealed.allows("b", round: 4))
  }

  @Test("Rounds that are forgotten are over for good")
  func many() {
    var revealed = RevealedRounds()
    for round in 0...RevealedRounds.most {
      #expect(revealed.allows("r\(round)", round: round) && revealed.add("r\(round)", round: round))
    }
    #expect(revealed.digests.count == RevealedRounds.most)
    #expect(!revealed.allows("r0", round: 0) && revealed.allows("r1", round: 1) && !revealed.allows("x", round: 1))
    #expect(revealed.allows("x", round: RevealedRounds.most + 1))
  }

  @Test("What is written is read, and nothing else")
  func text() {
    var revealed = RevealedRounds()
    for round in [0, 7, 1 << 39] { _ = revealed.add("digest\(round)", round: round) }
    #expect(RevealedRounds(revealed.text) == revealed && RevealedRounds("") == RevealedRounds())
    for text in ["1", "a b", "-1 b", "1 b c", "1099511627776 b"] { #expect(RevealedRounds(text) == nil, "\(text)") }
  }
}
