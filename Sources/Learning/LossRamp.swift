import Configuration

/// A weight that changes from block to block along a line: λ = λa (1 − r) + λb r.
struct LossRamp: Sendable {
  let first: Float
  let last: Float

  /// Reads two numbers.
  static func read(
    _ options: inout Options, _ key: String, default ends: [Double], _ help: String
  ) throws(ConfigurationError) -> LossRamp {
    let ends = try options.numbers(key, default: ends, in: .nonNegative, help)
    try options.require(ends.count == 2, key: key, "\(options.keyPath).\(key) takes two numbers, and has \(ends.count)")
    return LossRamp(first: Float(ends[0]), last: Float(ends[1]))
  }

  /// The weight at a share of the way.
  func weight(_ share: Float) -> Float { first * (1 - share) + last * share }
}
