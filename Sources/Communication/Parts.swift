/// How a buffer is cut into one part for each rank, in rank order.
public enum Parts: Sendable {
  /// Every rank has this many elements.
  case equal(Int)
  /// Rank r has `counts[r]` elements.
  case listed([Int])
  /// So many elements spread over so many ranks: rank r of p has elements ⌊nr/p⌋ … ⌊n(r+1)/p⌋−1.
  case even(Int, over: Int)
  /// So many elements spread over so many ranks in whole cache lines of 16 Float; the last rank's may end early.
  case lines(Int, over: Int)

  /// Elements of one rank's part.
  public func count(of rank: Int) -> Int {
    switch self {
    case .equal(let count): count
    case .listed(let counts): counts[rank]
    case .even, .lines: offset(of: rank + 1) - offset(of: rank)
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
    case .lines(let total, let ranks): return min(total, (total + 15) / 16 * rank / ranks * 16)
    }
  }

  /// The parts as words, such as "3 × 5" or "[1, 2, 3]".
  func described(ranks: Int) -> String {
    switch self {
    case .equal(let count): "\(ranks) × \(count)"
    case .listed(let counts): "\(counts)"
    case .even(let total, _), .lines(let total, _): "\(total)"
    }
  }
}
