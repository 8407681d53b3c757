import Foundation
import Synchronization

/// A process that was started here.
///
/// Foundation's learns of the end of one by a descriptor that others which are started at the same moment inherit: it then waits
/// for these as well.  An end is taken note of at once: Swift Testing waits for processes of its own, and in vain as long as there is
/// any that nobody has waited for.
final class ChildProcess: Sendable {
  /// Its number.
  let identifier: pid_t
  /// What `waitpid` said of its end.
  private let status = Mutex<Int32?>(nil)

  /// Why none was started.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>
  // Glibc has these, but its headers show them to GNU's dialect of C alone.
  private static let closeFrom = unsafeBitCast(
    dlsym(nil, "posix_spawn_file_actions_addclosefrom_np"), to: (@convention(c) (Actions, Int32) -> Int32).self)
  private static let changeFolder = unsafeBitCast(
    dlsym(nil, "posix_spawn_file_actions_addchdir_np"),
    to: (@convention(c) (Actions, UnsafePointer<CChar>) -> Int32).self)

  /// Starts a program, by its path, in a folder; its output goes to files that are there.  It hears all signals, whatever the
  /// thread that starts it blocks, and has no descriptors but its three.
  init(
    _ program: String, _ arguments: [String], in folder: String, environment: [String: String], output: String,
    errors: String
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY, 0)
    _ = ChildProcess.closeFrom(&actions, 3)
    _ = ChildProcess.changeFolder(&actions, folder)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let words = ([program] + arguments).map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var made: pid_t = 0
    let problem = posix_spawn(&made, program, &actions, &attributes, words, variables)
    guard problem == 0 else {
      throw Failure(description: "cannot start \(program): \(String(cString: strerror(problem)))")
    }
    identifier = made
    let thread = Thread { [self] in awaitEnd() }
    thread.stackSize = 1 << 18
    thread.start()
  }

  private func awaitEnd() {
    var information = siginfo_t()
    while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    // Its number may be another's as soon as it has been waited for.
    status.withLock { status in
      var found: Int32 = 0
      waitpid(identifier, &found, 0)
      status = found
    }
  }

  /// Whether it has not ended yet.
  var isRunning: Bool { status.withLock { $0 == nil } }

  /// Sends it a signal; what has ended gets none, for its number may be another's by now.
  func signal(_ number: Int32) { status.withLock { if $0 == nil { kill(identifier, number) } } }

  /// Waits for its end: its exit status, or 128 and the signal that ended it.
  func wait() -> Int32 {
    while true {
      if let ended = status.withLock({ $0 }) { return ended & 0x7F == 0 ? ended >> 8 & 0xFF : 128 + ended & 0x7F }
      usleep(5_000)
    }
  }
}
