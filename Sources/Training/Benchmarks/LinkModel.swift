/// How long a payload takes over a stated network, where no measurement is at hand.
public struct LinkModel: Sendable, Hashable {
  /// Bits a second that a rank can send.
  public let bitsPerSecond: Double
  /// Seconds that each message takes beside its bytes.
  public let latency: Double

  /// A link of a speed, with a latency.
  public init(bitsPerSecond: Double, latency: Double) {
    precondition(bitsPerSecond > 0 && latency >= 0, "a link of \(bitsPerSecond) bit/s and \(latency) s")
    self.bitsPerSecond = bitsPerSecond
    self.latency = latency
  }

  /// Seconds for what a rank sends, one message after the other.
  public func seconds(bytes: Double, messages: Double) -> Double { bytes * 8 / bitsPerSecond + messages * latency }

  /// A speed as `tc` writes it, `100mbit` or `1gbit`, in bits a second; nil for anything else.
  public static func speed(_ text: String) -> Double? {
    number(text, units: [("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9), ("tbit", 1e12), ("bit", 1)])
  }

  /// A duration, `50us`, `1ms` or `0.1s`, in seconds; nil for anything else.
  public static func duration(_ text: String) -> Double? {
    text == "0" ? 0 : number(text, units: [("us", 1e-6), ("ms", 1e-3), ("s", 1)])
  }

  private static func number(_ text: String, units: [(suffix: String, factor: Double)]) -> Double? {
    guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
      let number = Double(text.dropLast(unit.suffix.count)), number > 0, number.isFinite
    else { return nil }
    return number * unit.factor
  }
}
