import Glibc

/// How long a rank waits for another.
public struct Patience: Sendable, Hashable {
  /// Seconds after which a silent peer counts as lost.
  public let seconds: Double

  /// The environment variable that sets the seconds.
  public static let variable = "NNDIST_TIMEOUT_SECONDS"
  /// The seconds where nothing is set.
  public static let standard = Patience(seconds: 60)
  /// Nanoseconds a wait spins before it gives its core away: less than a thread switch and back.
  package static let spin: UInt64 = 20_000

  /// A deadline of so many seconds, above zero.
  public init(seconds: Double) {
    precondition(seconds > 0, "a deadline of \(seconds) s")
    self.seconds = seconds
  }

  /// The deadline that the environment sets. A value that is not a positive number is a `.setting` error.
  public static func fromEnvironment() throws(CommunicationError) -> Patience {
    guard let text = getenv(variable) else { return standard }
    return try parsed(String(cString: text))
  }

  package static func parsed(_ text: String) throws(CommunicationError) -> Patience {
    guard let seconds = Double(text), seconds > 0, seconds.isFinite, seconds < 1e9 else {
      throw CommunicationError(.setting, "\(variable) is `\(text)`; it takes a positive number of seconds, such as 60")
    }
    return Patience(seconds: seconds)
  }

  package var nanoseconds: UInt64 { UInt64(seconds * 1e9) }

  /// "60 s" or "0.5 s".
  package var described: String {
    seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
  }
}

/// Nanoseconds on the clock that no one sets.
package func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
