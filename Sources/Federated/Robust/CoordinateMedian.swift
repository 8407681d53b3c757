import Configuration

/// The median of each coordinate, unweighted; of an even number the mean of the middle two (Yin, Chen, Ramchandran, Bartlett,
/// ICML 2018, definition 1).  Cost: m log²m / 4 compare-exchanges a coordinate.
public struct CoordinateMedian: RobustRule {
  /// No options.
  public init() {}

  /// Its name and options.
  public static let kind = RobustRuleKind("median", "takes the median of each coordinate of the changes") { _ in
    CoordinateMedian()
  }

  /// One update is enough.
  public func check(clients: Int) throws(ConfigurationError) {
    try require(1, of: clients, because: "a median of something")
  }

  /// Replaces `result`.
  public func combine(
    _ set: UpdateSet, into result: UnsafeMutablePointer<Float>, _ scratch: RobustScratch, _ workers: Workers
  ) {
    nonisolated(unsafe) let result = result
    let (low, high) = ((set.clients - 1) / 2, set.clients / 2)
    scratch.sortedColumns(set, workers) { tile, first, count, _ in
      for k in 0..<count {
        let sum = Double(tile[low * RobustScratch.lanes + k]) + Double(tile[high * RobustScratch.lanes + k])
        result[first + k] = Float(sum / 2)
      }
    }
  }
}
