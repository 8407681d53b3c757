/// How many lines of the log somebody elsewhere may cause, so that nobody fills the disk: some at once, and after that some a minute.
struct LogBudget {
  /// What becomes of a line.
  enum Decision {
    case write
    /// It is the last for a while, which is to be said.
    case writeLast
    case drop
  }

  private let most: Double
  private let perSecond: Double
  private var left: Double
  private var latest: Double

  /// `most` lines at once, `perMinute` after that.
  init(most: Int = 100, perMinute: Double = 10, now: Double = Clock.seconds()) {
    (self.most, perSecond, left, latest) = (Double(most), perMinute / 60, Double(most), now)
  }

  /// Takes a line's place.
  mutating func take(now: Double = Clock.seconds()) -> Decision {
    left = min(most, left + (now - latest) * perSecond)
    latest = now
    guard left >= 1 else { return .drop }
    left -= 1
    return left >= 1 ? .write : .writeLast
  }

  /// Writes a line, or leaves it out; what `name` does goes unsaid for a while then.
  mutating func write(_ line: String, of name: String, to log: (String) -> Void) {
    switch take() {
    case .write: log(line)
    case .writeLast:
      log(line)
      log("more about \(name) is left out for a while")
    case .drop: break
    }
  }
}
