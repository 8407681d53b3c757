import Glibc

/// The log of a run, `log.txt`: lines with the time (UTC) before them, appended by rank 0.
public final class RunLog: Sendable {
  /// Where it lies.
  public let path: String
  private let descriptor: Int32

  /// Opens a log to append to; the lines that are there stay.
  public init(_ path: String) throws(RunError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw RunError(SystemFailure("write", path)) }
  }

  deinit { close(descriptor) }

  /// Appends one line.  A log that cannot be written stops no training: the disk will refuse what matters soon enough.
  public func write(_ line: String) {
    try? Files.write("\(Moment.now.text) \(line.onOneLine)\n", to: descriptor, path)
  }
}

/// A moment of the calendar, in UTC, to the second.
struct Moment {
  private let parts: tm

  /// The present.
  static var now: Moment { Moment(seconds: time(nil)) }

  init(seconds: time_t) {
    var seconds = seconds
    var parts = tm()
    gmtime_r(&seconds, &parts)
    self.parts = parts
  }

  private func digits(_ value: Int32, _ count: Int = 2) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }

  private var date: [String] { [digits(parts.tm_year + 1900, 4), digits(parts.tm_mon + 1), digits(parts.tm_mday)] }
  private var clock: [String] { [digits(parts.tm_hour), digits(parts.tm_min), digits(parts.tm_sec)] }

  /// `2026-11-21T09:30:00Z`.
  var text: String { date.joined(separator: "-") + "T" + clock.joined(separator: ":") + "Z" }

  /// `20261121-093000`, for names of folders.
  var compact: String { date.joined() + "-" + clock.joined() }
}
