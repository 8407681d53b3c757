import Federated

/// What all parties of one masked round know beforehand.
///
/// Cost for a client with k neighbours (k = n − 1 in a complete graph) and d words: 8d bytes of masked input and 184 + 144k of
/// messages up, 56 + 184k down; 2k agreements of keys (3k where long-term keys are known), two polynomials of degree T − 1 at
/// k + 1 points, and k + 1 passes of ChaCha20 over d words.  For the server: the traffic of all, one vector of memory, and
/// n + k · (clients that dropped after sharing) passes.
public struct SecureRound: Sendable, Hashable {
  /// What tells this federation from others, such as the digest of its configuration; keys are bound to it.
  public let federation: [UInt8]
  /// Rounds before this one.
  public let round: Int
  /// T: clients of a neighbourhood, each included, that must be left at every stage, and shares that yield a secret.
  public let threshold: Int
  /// Other clients that each one shares masks with, an even number; nil for all.
  public let neighbours: Int?
  /// 64-bit words of an input.
  public let words: Int

  /// A round.  T is that of the planned cohort: a server must not lower it by saying that few came.
  public init(federation: [UInt8], round: Int, threshold: Int, neighbours: Int? = nil, words: Int) {
    precondition(threshold >= 2 && threshold <= SecureAggregationOptions.largestNeighbourhood, "T = \(threshold)")
    precondition(neighbours.map { $0 >= 2 && $0 % 2 == 0 } ?? true, "neighbours on both sides of a ring")
    precondition(round >= 0 && words >= 0, "round \(round) of \(words) words")
    self.federation = federation
    self.round = round
    self.threshold = threshold
    self.neighbours = neighbours
    self.words = words
  }

  /// A round of options for a cohort of so many selected clients.
  public init(_ options: SecureAggregationOptions, federation: [UInt8], round: Int, cohort: Int, words: Int) {
    self.init(
      federation: federation, round: round, threshold: options.threshold(cohort: cohort),
      neighbours: options.neighbours, words: words)
  }

  /// Most clients of a neighbourhood, each included.
  var largestNeighbourhood: Int { neighbours.map { $0 + 1 } ?? SecureAggregationOptions.largestNeighbourhood }
}

/// Where a round stands; the names say what is waited for.
public enum SecureStage: String, Sendable {
  /// Ephemeral keys.
  case advertising = "exchange of keys"
  /// Encrypted shares.
  case sharing = "exchange of shares"
  /// Whose shares could be opened.
  case opening = "opening of shares"
  /// Masked inputs.
  case masking = "masked inputs"
  /// Revealed shares.
  case unmasking
  /// Nothing: the sum is there, or the round has failed.
  case ended = "end"
}
