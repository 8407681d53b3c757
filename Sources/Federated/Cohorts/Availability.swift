import Configuration
import Glibc
import Tensors

/// When clients can be asked.
enum Availability: Sendable, Hashable {
  case always
  /// With a probability, drawn anew for every client and round.
  case bernoulli(Double)
  /// The same with a probability that follows the day: (minimum + maximum)/2 + (maximum − minimum)/2 · cos 2π(t/period − φ), φ
  /// uniform over clients from 0 to `spread`.
  case diurnal(minimum: Double, maximum: Double, period: Double, spread: Double)
  /// In the intervals of a trace.
  case trace

  private static let names = ["always", "bernoulli", "diurnal", "trace"]

  /// Reads `availability: 0.8` or `availability: {name: diurnal, …}`.
  static func read(_ options: inout Options, hasTrace: Bool) throws(ConfigurationError) -> Availability {
    let key = "availability"
    let help = "when clients can be asked: a probability, or a name; trace where there is one"
    if try options.holdsNumber(key, or: names, help) {
      return .bernoulli(try options.number(key, in: .positiveFraction, help))
    }
    return try options.named(key, of: names, default: hasTrace ? "trace" : "always", help) {
      (name, options) throws(ConfigurationError) -> Availability in
      switch name {
      case "bernoulli":
        return .bernoulli(
          try options.number("probability", in: .positiveFraction, "that a client can be asked in a round"))
      case "diurnal":
        let minimum = try options.number(
          "minimum", default: 0.1, in: .fraction, "probability that a client can be asked at its worst hour")
        let maximum = try options.number(
          "maximum", default: 0.9, in: .positiveFraction, "probability that a client can be asked at its best hour")
        try options.require(
          minimum <= maximum, key: "maximum",
          "\(options.keyPath).maximum is \(maximum), less than minimum, \(minimum); exchange them")
        return .diurnal(
          minimum: minimum, maximum: maximum,
          period: try options.number("period", default: 86_400, in: .positive, unit: "seconds", "length of a day"),
          spread: try options.number(
            "spread", default: 0, in: .fraction, "part of the day over which clients' best hours lie, by time zone"))
      case "trace":
        try options.require(hasTrace, "\(options.keyPath) is `trace`, and there is no file; name it as trace")
        return .trace
      default: return .always
      }
    }
  }

  /// Whether a client can be asked.
  @inline(__always)
  func holds(_ client: Int, at seconds: Double, round: Int, seed: UInt64, _ trace: DeviceTrace?) -> Bool {
    switch self {
    case .always: return true
    case .bernoulli(let probability): return Availability.draw(probability, client, round, seed)
    case .diurnal(let minimum, let maximum, let period, let spread):
      var phase = 0.0
      if spread > 0 {
        var random = RandomStream(
          seed: seed, .selection, sample: UInt64(client), layer: SelectionStream.phase)
        phase = spread * random.uniformDouble()
      }
      let wave = cos(2 * Double.pi * (seconds / period - phase))
      return Availability.draw(
        (minimum + maximum) / 2 + (maximum - minimum) / 2 * wave, client, round, seed)
    case .trace:
      guard let trace else { preconditionFailure("the trace was not loaded") }
      return trace.holds(client, at: seconds)
    }
  }

  private static func draw(_ probability: Double, _ client: Int, _ round: Int, _ seed: UInt64) -> Bool {
    var random = RandomStream(
      seed: seed, .selection, epoch: UInt64(bitPattern: Int64(round)), sample: UInt64(client),
      layer: SelectionStream.availability)
    return random.uniformDouble() < probability
  }
}
