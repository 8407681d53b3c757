import Glibc
import Synchronization

/// Whether this process was asked to stop, by SIGTERM, SIGINT or SIGUSR1.
///
/// The first signal lets the present step finish, after which the state is saved; another one, a second or more later, ends
/// the process at once.  Sooner it is the same wish: `timeout` signals its child and then its whole group.
public enum StopSignal {
  private static let received = Atomic<Int32>(0)
  private static let moment = Atomic<Int>(0)  // milliseconds

  /// The signal that came, if one did.
  public static var number: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Starts listening.
  public static func install() {
    for number in [SIGTERM, SIGINT, SIGUSR1] {
      signal(number) { number in
        let now = StopSignal.milliseconds()
        if StopSignal.received.compareExchange(expected: 0, desired: number, ordering: .relaxed).exchanged {
          StopSignal.moment.store(now, ordering: .relaxed)
        } else if now - StopSignal.moment.load(ordering: .relaxed) >= 1000 {
          _exit(128 + number)
        }
      }
    }
  }

  /// A clock that may be read in a signal handler.
  private static func milliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }
}
