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

  /// A descriptor that becomes readable with the first signal; -1 before anybody listens.
  public static var descriptor: Int32 { reading.load(ordering: .relaxed) }

  private static let reading = Atomic<Int32>(-1)
  private static let writing = Atomic<Int32>(-1)

  /// Starts listening.
  public static func install() {
    var ends: [Int32] = [-1, -1]
    if pipe(&ends) == 0 {
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      reading.store(ends[0], ordering: .relaxed)
      writing.store(ends[1], ordering: .relaxed)
    }
    for number in [SIGTERM, SIGINT, SIGUSR1] {
      signal(number) { number in
        let now = StopSignal.milliseconds()
        if StopSignal.received.compareExchange(expected: 0, desired: number, ordering: .relaxed).exchanged {
          StopSignal.moment.store(now, ordering: .relaxed)
          var one: UInt8 = 1
          _ = write(StopSignal.writing.load(ordering: .relaxed), &one, 1)
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
