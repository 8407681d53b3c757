/// For which survivors a client has revealed shares of masked rounds, so that it never does so for others: of each round the
/// digest of the list.
package struct RevealedRounds: Equatable {
  /// Rounds that are remembered; those before the first of them are over for good.
  package static let most = 256

  package private(set) var digests: [Int: String] = [:]

  /// Whether shares may be given.
  package func allows(_ digest: String, round: Int) -> Bool {
    if let known = digests[round] { return known == digest }
    guard digests.count >= RevealedRounds.most, let first = digests.keys.min() else { return true }
    return round > first
  }

  /// Remembers; false where that was known.
  package mutating func add(_ digest: String, round: Int) -> Bool {
    guard digests.updateValue(digest, forKey: round) != digest else { return false }
    if digests.count > RevealedRounds.most, let first = digests.keys.min() { digests[first] = nil }
    return true
  }

  /// A line for each round.
  package var text: String { digests.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined() }

  package init() {}

  /// Reads ``text``; nil for anything else.
  package init?(_ text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let round = Int(words[0]), round.isRound else { return nil }
      digests[round] = String(words[1])
    }
  }
}
