import Compression

/// Votes of one bit a scalar, counted in integers: exact whatever the order, threads or ranks.
///
/// Each ballot is ``SignBits``: ⌈count / 8⌉ bytes.  Threads and ranks merge their counts by integer addition of ``words``.
/// Nothing is allocated after `init`.
///
/// `@unchecked Sendable`: the pointer never changes; who may write when is decided by whoever shares it.
public final class VoteSum: @unchecked Sendable {
  /// Scalars voted on.
  public let count: Int
  /// Σ ±1 of each scalar, then the number of ballots.
  public let words: UnsafeMutableBufferPointer<Int32>

  /// No votes yet.
  public init(count: Int) {
    precondition(count >= 0, "votes on \(count) scalars")
    self.count = count
    words = .allocate(capacity: count + 1)
    words.initialize(repeating: 0)
  }

  deinit { words.deallocate() }

  /// Σ ±1 of each scalar.
  public var votes: UnsafeMutablePointer<Int32> {
    // Never nil: the number of ballots is always there.
    words.baseAddress.unsafelyUnwrapped
  }

  /// Ballots counted.
  public var ballots: Int { Int(votes[count]) }

  /// Forgets all votes.
  public func clear() { words.update(repeating: 0) }

  /// Counts a ballot.  Cost: one pass.
  public func add(_ ballot: UnsafeRawBufferPointer) {
    precondition(
      ballot.count == SignBits.byteCount(count), "a ballot of \(ballot.count) bytes on \(count) scalars")
    if let bits = ballot.baseAddress { SignBits.addVotes(bits, count: count, to: votes) }
    votes[count] &+= 1
  }

  /// Adds the votes of others.
  public func merge(_ other: VoteSum) {
    precondition(other.count == count, "merging votes on \(other.count) scalars into votes on \(count)")
    let (source, target) = (other.votes, votes)
    var i = 0
    while i <= count {
      target[i] = target[i] &+ source[i]
      i &+= 1
    }
  }

  /// mean ← scale · votes / ballots, of [−scale, scale]; zeros without ballots.
  public func mean(scaledBy scale: Float = 1, into mean: UnsafeMutableBufferPointer<Float>) {
    precondition(mean.count == count, "a mean of \(mean.count) scalars from votes on \(count)")
    let (votes, unit) = (votes, ballots == 0 ? 0 : Double(scale) / Double(ballots))
    var i = 0
    while i < count {
      mean[i] = Float(Double(votes[i]) * unit)
      i &+= 1
    }
  }

  /// Moves `bits` to the majority; a tie keeps the old bit.
  public func decide(_ bits: UnsafeMutableRawBufferPointer) {
    precondition(bits.count == SignBits.byteCount(count), "\(bits.count) bytes of signs for \(count) scalars")
    for i in 0..<count where votes[i] != 0 {
      let bit = UInt8(1) << UInt8(i & 7)
      bits[i >> 3] = votes[i] > 0 ? bits[i >> 3] | bit : bits[i >> 3] & ~bit
    }
  }
}
