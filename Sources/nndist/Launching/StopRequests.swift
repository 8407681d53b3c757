import CLaunching
import Glibc
import Training

/// Signals as events: what asks for an end, and that a child ended.
///
/// SIGTERM, SIGINT, SIGHUP and SIGUSR1 ask for an end; another one, a second or more later, demands it.  Sooner it is the same
/// wish: `timeout` signals its child and then its whole group.  Signals that were ignored at the start stay so (`nohup`).
final class StopRequests {
  enum Event {
    case childEnded
    /// The first request.
    case asked
    /// A later one.
    case demanded
  }

  /// Becomes readable with every signal.
  let descriptor: Int32
  /// The first signal that asked for an end.
  private(set) var first: (number: Int32, moment: Double)?
  /// The signal that demanded it.
  private(set) var demand: Int32?

  /// Listens from now on.
  init() throws(RunError) {
    let wishes = [SIGTERM, SIGINT, SIGHUP, SIGUSR1].filter { nndist_is_ignored($0) == 0 }
    let numbers = wishes + [SIGCHLD]
    descriptor = nndist_signal_descriptor(numbers, Int32(numbers.count))
    guard descriptor >= 0 else {
      throw RunError(.internalError, "cannot listen for signals: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  /// What came since the last time.
  func events() -> [Event] {
    var events: [Event] = []
    while case let number = nndist_next_signal(descriptor), number != 0 {
      if number == SIGCHLD {
        events.append(.childEnded)
      } else if let first {
        guard demand == nil, Clock.seconds - first.moment >= 1 else { continue }
        demand = number
        events.append(.demanded)
      } else {
        first = (number, Clock.seconds)
        events.append(.asked)
      }
    }
    return events
  }

  /// Sleeps so many seconds; false as soon as an end is asked for.
  func sleep(seconds: Double) -> Bool {
    let end = Clock.seconds + seconds
    while first == nil {
      let left = end - Clock.seconds
      guard left > 0 else { return true }
      Poll.wait([descriptor], seconds: left)
      for event in events() where event == .childEnded { Job.reap() }
    }
    return false
  }
}

/// Waiting for descriptors.
enum Poll {
  /// Returns when one of them can be read or was closed, or the seconds are over; nil waits for ever.
  static func wait(_ descriptors: [Int32], seconds: Double?) {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let milliseconds = seconds.map { Int32(min(max(0, ($0 * 1000).rounded(.up)), 1e9)) } ?? -1
    _ = poll(&entries, nfds_t(entries.count), milliseconds)
  }
}
