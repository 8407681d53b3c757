import FederatedNetwork
import Testing

@Suite("Keys") struct KeyPairTests {
  @Test("a key survives its text, and its pair is that of its secret") func keys() {
    let pair = KeyPair.random()
    #expect(KeyPair.key(of: KeyPair.text(of: pair.publicKey)) == pair.publicKey)
    #expect(KeyPair(secretKey: pair.secretKey) == pair)
    #expect(KeyPair.random() != pair)
    for text in ["", "abc", String(repeating: "\"", count: 40), String(repeating: "~", count: 41)] {
      #expect(KeyPair.key(of: text) == nil)
    }
  }
}
