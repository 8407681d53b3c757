extension FederatedProgress {
  /// What the counters of a checkpoint are called.
  private enum Name {
    static let round = "round"
    static let updates = "updates"
    static let rejected = "rejected"
    static let lost = "lost"
    static let skipped = "skipped_rounds"
    static let steps = "local_steps"
    static let bytesUp = "bytes_up"
    static let bytesDown = "bytes_down"
    static let simulatedSeconds = "simulated_seconds"
    static let simulatedSecondsBefore = "simulated_seconds_before_round"
    /// What comes before the names of what a round has told beside the usual.
    static let others = "others/"
  }

  /// Whether a checkpoint's progress is that of a federation.
  static func isOne(_ progress: TrainingProgress) -> Bool { progress.counters[Name.round] != nil }

  /// The progress as checkpoints have it: their steps are rounds.
  func checkpointed(simulatedSeconds: (now: Double, before: Double), others: [String: Double]) -> TrainingProgress {
    var progress = TrainingProgress()
    progress.step = round
    progress.samples = samples
    progress.seconds = seconds
    progress.counters = [
      Name.round: Double(round), Name.updates: Double(updates), Name.rejected: Double(rejected),
      Name.lost: Double(lost), Name.skipped: Double(skipped), Name.steps: Double(steps), Name.bytesUp: Double(bytesUp),
      Name.bytesDown: Double(bytesDown), Name.simulatedSeconds: simulatedSeconds.now,
      Name.simulatedSecondsBefore: simulatedSeconds.before,
    ]
    for (name, value) in others where value.isFinite { progress.counters[Name.others + name] = value }
    return progress
  }

  /// What a checkpoint says; with it the simulated seconds, those before its round too, and what that round had told beside the
  /// usual.
  static func restored(
    _ saved: TrainingProgress
  ) -> (progress: FederatedProgress, simulatedSeconds: (now: Double, before: Double), others: [String: Double]) {
    func count(_ name: String) -> Int { Int(exactly: saved.counters[name] ?? 0) ?? 0 }
    var progress = FederatedProgress()
    progress.round = saved.step
    progress.samples = saved.samples
    progress.seconds = saved.seconds
    progress.updates = count(Name.updates)
    progress.rejected = count(Name.rejected)
    progress.lost = count(Name.lost)
    progress.skipped = count(Name.skipped)
    progress.steps = count(Name.steps)
    progress.bytesUp = count(Name.bytesUp)
    progress.bytesDown = count(Name.bytesDown)
    var others: [String: Double] = [:]
    for (name, value) in saved.counters where name.hasPrefix(Name.others) {
      others[String(name.dropFirst(Name.others.count))] = value
    }
    let moments = [Name.simulatedSeconds, Name.simulatedSecondsBefore].map { saved.counters[$0] ?? 0 }
    return (progress, (moments[0], moments[1]), others)
  }
}
