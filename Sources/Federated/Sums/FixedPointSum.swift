/// The exact weighted sum of updates: 64-bit integers, so that neither the order of clients nor who adds them matters.
///
/// Threads and ranks each fill one and merge them by integer addition: ``words`` is one buffer for one all-reduce.
/// Addition wraps, as secure aggregation needs it; sums of accepted updates within the cohort's weight never reach the edge.
/// Nothing is allocated after `init`.
///
/// `@unchecked Sendable`: the pointer never changes; who may write when is decided by whoever shares it.
public final class FixedPointSum: @unchecked Sendable {
  /// Scalars of an update.
  public let count: Int
  /// Σq of each scalar, then Σw, then the number of updates.
  public let words: UnsafeMutableBufferPointer<Int64>

  /// A sum of nothing.
  public init(count: Int) {
    precondition(count >= 0, "a sum of \(count) scalars")
    self.count = count
    let bytes = (count + 2) * MemoryLayout<Int64>.stride
    let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    words = UnsafeMutableBufferPointer(
      start: raw.initializeMemory(as: Int64.self, repeating: 0, count: count + 2), count: count + 2)
  }

  deinit { words.baseAddress?.deallocate() }

  /// Σq of each scalar.
  public var sums: UnsafeMutablePointer<Int64> {
    // Never nil: two words are always there.
    words.baseAddress.unsafelyUnwrapped
  }

  /// Σw of the updates added.
  public var weight: Int { Int(sums[count]) }
  /// Updates added.
  public var updates: Int { Int(sums[count + 1]) }

  /// Back to a sum of nothing.
  public func clear() { words.update(repeating: 0) }

  /// Adds w · x.  False, and nothing added, where a scalar is not finite or beyond 2⁸.  Cost: two passes over the update.
  public func add(_ update: UnsafeBufferPointer<Float>, weight: Int, _ scale: FixedPointScale) -> Bool {
    change(update, weight: weight, scale, sign: 1)
  }

  /// Takes out what `add` put in, to the bit.  False, and nothing changed, for an update that is not accepted.
  public func subtract(_ update: UnsafeBufferPointer<Float>, weight: Int, _ scale: FixedPointScale) -> Bool {
    change(update, weight: weight, scale, sign: -1)
  }

  private func change(
    _ update: UnsafeBufferPointer<Float>, weight: Int, _ scale: FixedPointScale, sign: Int64
  ) -> Bool {
    precondition(update.count == count, "an update of \(update.count) scalars for a sum of \(count)")
    precondition(weight >= 0 && weight <= scale.totalWeight, "weight \(weight) of \(scale.totalWeight)")
    guard let scalars = update.baseAddress, count > 0 else { return true }
    guard FixedPointScale.accepts(scalars, count: count) else { return false }
    scale.add(scalars, weight: weight, to: sums, count: count, subtracting: sign < 0)
    sums[count] &+= sign &* Int64(weight)
    sums[count + 1] &+= sign
    return true
  }

  /// Adds a sum of other updates in the same scale.
  public func merge(_ other: FixedPointSum) {
    precondition(other.count == count, "merging a sum of \(other.count) scalars into one of \(count)")
    FixedPointSum.add(other.sums, to: sums, count: count + 2)
  }

  /// The weighted mean of what was added, zeros if that is nothing.
  public func mean(_ scale: FixedPointScale, into mean: UnsafeMutableBufferPointer<Float>) {
    precondition(mean.count == count, "a mean of \(mean.count) scalars from a sum of \(count)")
    guard let target = mean.baseAddress else { return }
    scale.mean(sums, weight: weight, into: target, count: count)
  }

  @inline(never)
  private static func add(_ source: UnsafePointer<Int64>, to target: UnsafeMutablePointer<Int64>, count: Int) {
    var i = 0
    while i < count {
      target[i] = target[i] &+ source[i]
      i &+= 1
    }
  }
}
