/// How often, how soon and with how many ranks a job is started again.
struct RestartPolicy {
  /// Restarts in all.
  let restarts: Int
  /// Ranks to begin with.
  let ranks: Int
  /// Ranks below which it never goes; each loss costs one until then.
  let minimumRanks: Int
  /// Ranks that share a model: their number stays a multiple of it.
  var stages = 1
  /// Seconds before the first restart, doubled before each that follows without progress.
  let backoff: Double
  /// The longest pause, in seconds.
  static let longestPause = 60.0

  /// The pause before a restart, in seconds, after so many since there was progress.
  func pause(after pauses: Int) -> Double {
    var pause = backoff
    for _ in 0..<pauses where pause < RestartPolicy.longestPause { pause *= 2 }
    return min(pause, max(backoff, RestartPolicy.longestPause))
  }

  /// How many ranks the next attempt has, after one of `ranks`.
  func ranks(after ranks: Int, _ consequence: Ending.Consequence) -> Int {
    guard consequence == .lost else { return ranks }
    let fewer = (ranks - 1) / stages * stages
    return fewer >= minimumRanks && fewer > 0 ? fewer : ranks
  }
}
