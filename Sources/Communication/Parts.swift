/// How a buffer is cut into one part for each rank, in rank order.
public enum Parts: Sendable {
  /// Every rank has this many elements.
  case equal(Int)
  /// Rank r has `counts[r]` elements.
  case listed([Int])
  /// So many elements spread over so many ranks: rank r of p has elements ⌊nr/p⌋ … ⌊n(r+1)/p⌋−1.
  case even(Int, over: Int)

  /// Elements of one rank's part.
  public func count(of rank: Int) -> Int {
    switch self {
    case .equal(let count): count
    case .listed(let counts): counts[rank]
    case .even(let total, let ranks): total * (rank + 1) / ranks - total * rank / ranks
    }
  }

  /// Elements before one rank's part.
  public func offset(of rank: Int) -> Int {
    switch self {
    case .equal(let count): return count * rank
    case .listed(let counts):
      var sum = 0
      for other in 0..<rank { sum += counts[other] }
      return sum
    case .even(let total, let ranks): return total * rank / ranks
    }
  }

  /// Whether both cut a buffer for `ranks` ranks alike.
  package func isSame(as other: Parts, ranks: Int) -> Bool {
    for rank in 0..<ranks where count(of: rank) != other.count(of: rank) { return false }
    return true
  }

  /// The parts as words, such as "3 × 5" or "[1, 2, 3]".
  func described(ranks: Int) -> String {
    switch self {
    case .equal(let count): "\(ranks) × \(count)"
    case .listed(let counts): "\(counts)"
    case .even(let total, _): "\(total)"
    }
  }
}
