import Glibc
import Synchronization

/// Whether this process was asked to stop, by SIGTERM, SIGINT or SIGUSR1.
///
/// The first signal lets the present step finish, after which the state is saved; a second one ends the process at once.
public enum StopSignal {
  private static let received = Atomic<Int32>(0)

  /// The signal that came, if one did.
  public static var number: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Starts listening.
  public static func install() {
    for number in [SIGTERM, SIGINT, SIGUSR1] {
      signal(number) { number in
        if StopSignal.received.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
      }
    }
  }
}
