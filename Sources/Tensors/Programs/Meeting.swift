/// A place in a program where the shards of a batch meet: an instruction has left Float64 numbers of its own shard, and what
/// follows needs those of the whole batch in their place.
///
/// A shard that is run alone is the whole batch.
public struct Meeting: Sendable {
  /// How the numbers of two parts of a batch become those of both.
  public enum Combination: Sendable, Hashable {
    /// They are added.
    case sums
    /// A count of rows, then the means of as many channels as there are, then their sums of squared deviations, combined after
    /// Chan, Golub and LeVeque (1979): neither large means nor unequal counts cost digits.  A count of 0 brings nothing.
    case moments
  }

  /// How parts are combined.
  public let combination: Combination
  /// Float64 numbers of a shard, as many of the whole batch.
  public let count: Int
  /// Instructions of the step that are done by then.
  public let instructions: Int
  /// Where the numbers lie.
  let place: Operand

  /// Combines the numbers of one part of the batch with those of another, which may be empty.  The order of parts matters to
  /// the last bits.
  public func combine(_ part: UnsafePointer<Double>, into whole: UnsafeMutablePointer<Double>) {
    switch combination {
    case .sums:
      var i = 0
      while i < count {
        whole[i] += part[i]
        i &+= 1
      }
    case .moments: combineMoments(part, into: whole)
    }
  }

  private func combineMoments(_ part: UnsafePointer<Double>, into whole: UnsafeMutablePointer<Double>) {
    let (n, m) = (whole[0], part[0])
    if m == 0 { return }
    if n == 0 { return whole.update(from: part, count: count) }
    let channels = (count - 1) / 2
    let (means, squares) = (whole + 1, whole + 1 + channels)
    let (otherMeans, otherSquares) = (part + 1, part + 1 + channels)
    let (share, weight) = (m / (n + m), n * m / (n + m))
    whole[0] = n + m
    var c = 0
    while c < channels {
      let delta = otherMeans[c] - means[c]
      means[c] += delta * share
      squares[c] += otherSquares[c] + delta * delta * weight
      c &+= 1
    }
  }
}

extension Recorder {
  /// Whether shards meet in what was recorded so far.
  public var meets: Bool { instructions.contains { $0.operation.meeting != nil } }
}
