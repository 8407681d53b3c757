import Configuration

/// The mean of each coordinate without its ⌊βm⌋ least and ⌊βm⌋ greatest values (Yin et al., ICML 2018, definition 2).
///
/// What remains is summed exactly (``FixedPointScale``), so that β = 0 has the bits of the mean of clients of equal size.
public struct TrimmedMean: RobustRule {
  /// β: the share dropped at each end, below a half.
  public let share: Double

  /// Drops a share of [0, 0.5) at each end.
  public init(share: Double) {
    precondition(share >= 0 && share < 0.5, "trimming a share of \(share) at each end")
    self.share = share
  }

  /// Its name and options.
  public static let kind = RobustRuleKind(
    "trimmed-mean", "averages each coordinate of the changes without its least and greatest values"
  ) { (options) throws(ConfigurationError) in
    TrimmedMean(
      share: try options.number(
        "beta", default: 0.2, in: Bounds(lower: 0, upper: 0.5, includesUpper: false), "share dropped at each end"))
  }

  /// ⌊βm⌋; a share such as 0.29 of 100 is 29 although its product is rounded below.
  func dropped(of clients: Int) -> Int { Int(share * Double(clients) + 1e-9) }

  /// Something must remain, which a share below a half grants.
  public func check(clients: Int) throws(ConfigurationError) {
    try require(1, of: clients, because: "a mean of something")
  }

  /// Replaces `result`.
  public func combine(
    _ set: UpdateSet, into result: UnsafeMutablePointer<Float>, _ scratch: RobustScratch, _ workers: Workers
  ) {
    nonisolated(unsafe) let result = result
    let dropped = dropped(of: set.clients)
    let kept = dropped..<set.clients - dropped
    let weight = set.commonWeight
    let scale = FixedPointScale(totalWeight: weight * kept.count)
    scratch.sortedColumns(set, workers) { tile, first, count, worker in
      let sums = scratch.laneSums(worker)
      sums.update(repeating: 0, count: RobustScratch.lanes)
      for row in kept {
        scale.add(tile + row * RobustScratch.lanes, weight: weight, to: sums, count: RobustScratch.lanes)
      }
      scale.mean(sums, weight: weight * kept.count, into: result + first, count: count)
    }
  }
}
