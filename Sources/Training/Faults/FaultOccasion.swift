import Configuration

/// A moment of an optimizer step at which a fault can happen.
public enum FaultMoment: String, Sendable, CaseIterable {
  /// Before anything of the step is done.
  case start
  /// Once gradients are computed, before the first of them leaves the rank.
  case gradients
  /// Once gradients are exchanged, before parameters move.
  case update
  /// When the state after the step is about to be written, where it is.
  case checkpoint
}

/// To whom a fault happens, and when: the keys that kinds have in common.
public struct FaultOccasion: Sendable, Hashable {
  /// To whom.
  public enum Victim: Sendable, Hashable {
    /// A rank, from 0.
    case rank(Int)
    /// What is computed for a logical shard, from 0, whoever computes it.
    case shard(Int)
  }

  /// To whom.
  public let victim: Victim
  /// The optimizer step during which it happens, from 1; 0 stands for what comes before the first.
  public let step: Int
  /// When in the step; nil for what has no moment of its own.
  public let moment: FaultMoment?
  /// The start of the run in which it happens, from 1; nil for all.
  public let attempt: Int?

  /// Whether it concerns a start of the run.
  public func isPart(of attempt: Int) -> Bool { self.attempt ?? attempt == attempt }

  /// An occasion of a rank, at one of some moments, as `at:` says.
  static func ofRank(
    _ options: inout Options, at moments: [FaultMoment] = FaultMoment.allCases
  ) throws(ConfigurationError) -> FaultOccasion {
    let victim = try rank(&options)
    let step = try step(&options)
    let moment = try options.choice(
      "at", of: moments.map(\.rawValue), default: FaultMoment.start.rawValue,
      "when in the step: before it, before gradients leave, before parameters move, or before its checkpoint is written"
    )
    return FaultOccasion(
      victim: victim, step: step, moment: FaultMoment(rawValue: moment), attempt: try attempt(&options))
  }

  /// An occasion of what a rank writes in a step.
  static func ofFiles(_ options: inout Options) throws(ConfigurationError) -> FaultOccasion {
    FaultOccasion(
      victim: try rank(&options), step: try step(&options, from: 0), moment: nil, attempt: try attempt(&options))
  }

  /// An occasion of the gradients of a shard.
  static func ofShard(_ options: inout Options) throws(ConfigurationError) -> FaultOccasion {
    let shard = try options.integer("shard", default: 0, in: 0...4095, "the logical shard, whoever computes it")
    return FaultOccasion(
      victim: .shard(shard), step: try step(&options), moment: .gradients, attempt: try attempt(&options))
  }

  private static func rank(_ options: inout Options) throws(ConfigurationError) -> Victim {
    .rank(try options.integer("rank", default: 0, in: 0...1 << 20, "the rank, from 0"))
  }

  private static func step(_ options: inout Options, from first: Int = 1) throws(ConfigurationError) -> Int {
    try options.integer(
      "step", in: first...1_000_000_000,
      "the optimizer step during which it happens" + (first == 0 ? "; 0 for before the first" : ""))
  }

  private static func attempt(_ options: inout Options) throws(ConfigurationError) -> Int? {
    let text = try options.text(
      "attempt", default: "1",
      "the start of the run in which it happens, so that one that was started again gets past it; or `every`")
    if text == "every" { return nil }
    guard let number = Int(text), number > 0 else {
      try options.require(
        false, key: "attempt",
        "\(options.keyPath).attempt is `\(text)`; expected a whole number of at least 1, or `every`")
      return 1
    }
    options.resolve("attempt", as: .integer(number))
    return number
  }
}

extension FaultOccasion: CustomStringConvertible {
  /// The moment in words, for messages: `before step 5`.
  public var description: String {
    switch moment {
    case .start: "before step \(step)"
    case .gradients: "with the gradients of step \(step)"
    case .update: "before the update of step \(step)"
    case .checkpoint: "at the checkpoint of step \(step)"
    case nil: "in step \(step)"
    }
  }
}
