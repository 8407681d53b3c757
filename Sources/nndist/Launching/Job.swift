import CLaunching
import Glibc
import Training

/// A running mpirun and all that it started on this host: one session of processes.
///
/// It ends with this process: mpirun is sent SIGTERM when its starter is gone, however that died, and ends its ranks.
final class Job {
  /// mpirun's process, and the session.
  let identifier: pid_t
  private let killSeconds: Double
  /// When mpirun is to be killed, having been told to end.
  private var deadline: Double?
  /// Since when ranks have been dead that mpirun does not collect, and no other lives.
  private var desertedSince: Double?

  /// How mpirun ended.
  struct End {
    /// Its exit status, or 128 and the number of the signal that killed it.
    let status: Int32
    /// The signal that killed mpirun itself; 0 where none did.
    let signal: Int32
    /// Whether it was ended for giving no sign of life.
    var isHung = false
    /// Whether mpirun was killed because it outlived its ranks: it can lock up when one is killed while it is being started.
    var isDeserted = false
  }

  /// Starts mpirun; its streams are this process's where no relay takes them.
  init(_ command: MPIRunCommand, output: OutputRelay? = nil, errors: OutputRelay? = nil) throws(RunError) {
    nndist_adopt_orphans()
    killSeconds = command.killSeconds
    var words: [UnsafeMutablePointer<CChar>?] = ([command.program] + command.words).map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = command.environment.map { strdup("\($0)=\($1)") } + [nil]
    identifier = nndist_start(
      command.program, &words, &variables, output?.writing ?? STDOUT_FILENO, errors?.writing ?? STDERR_FILENO)
    let code = errno
    for pointer in words + variables { free(pointer) }
    guard identifier > 0 else {
      throw RunError(.internalError, "cannot start mpirun: \(String(cString: strerror(code)))")
    }
    for relay in [output, errors] { relay?.started() }
  }

  /// Sends mpirun a signal; SIGUSR1 goes on to the ranks.
  func signal(_ number: Int32) { kill(identifier, number) }

  /// Ends the job at once: mpirun ends its ranks, and is killed with them where it does not.
  private func terminate() {
    guard deadline == nil else { return }
    signal(SIGTERM)
    deadline = Clock.seconds + 2 * killSeconds + 5
  }

  /// Waits until the job has ended, and nothing of it is left on this host.
  ///
  /// Meanwhile output is passed on.  The first signal to this process asks the ranks to save their state and stop, a later one
  /// ends the job; `say` tells the user.  Every `interval` seconds `isHung` is asked; if so, the job is ended.
  func wait(
    _ stop: StopRequests, relays: [OutputRelay] = [], interval: Double? = nil, isHung: () -> Bool = { false },
    say: (String) -> Void
  ) -> End {
    var end: End?
    var hung = false
    var deserted = false
    var nextLook = interval.map { Clock.seconds + $0 }
    var nextCount = Clock.seconds + Job.countInterval
    while end == nil {
      let soonest = [nextLook, nextCount, deadline].compactMap { $0 }.min()
      Poll.wait(
        [stop.descriptor] + relays.map(\.reading).filter { $0 >= 0 }, seconds: soonest.map { $0 - Clock.seconds })
      for relay in relays { relay.pump() }
      for event in stop.events() {
        switch event {
        case .childEnded: end = Job.reap(identifier) ?? end
        case .asked:
          say("asking the ranks to save their state and stop")
          signal(SIGUSR1)
        case .demanded:
          say("ending the job")
          terminate()
        }
      }
      if let interval, let look = nextLook, Clock.seconds >= look {
        nextLook = Clock.seconds + interval
        if !hung, deadline == nil, isHung() {
          hung = true
          terminate()
        }
      }
      if Clock.seconds >= nextCount {
        nextCount = Clock.seconds + Job.countInterval
        if !deserted, isDeserted {
          deserted = true
          deadline = Clock.seconds
        }
      }
      if let time = deadline, Clock.seconds >= time {
        killAll()
        deadline = Clock.seconds + 1
      }
    }
    removeRest()
    for relay in relays { relay.finish() }
    var result = end ?? End(status: 1, signal: 0)
    result.isHung = hung
    result.isDeserted = deserted
    return result
  }

  /// Collects children that have ended, those that became ours by the end of their parents too; the one looked for.
  @discardableResult
  static func reap(_ identifier: pid_t = 0) -> End? {
    var found: End?
    var status: Int32 = 0
    var number: Int32 = 0
    while case let child = nndist_reap(&status, &number), child != 0 {
      if child == identifier { found = End(status: status, signal: number) }
    }
    return found
  }

  /// Seconds between two looks at the ranks of this host.
  private static let countInterval = 2.0

  /// Whether mpirun has left dead ranks alone for longer than it ever takes to end a job, and no other lives here.
  private var isDeserted: Bool {
    let ranks = HostProcess.all.filter { $0.session == identifier && $0.identifier != identifier }
    guard !ranks.isEmpty, ranks.allSatisfy(\.hasEnded) else {
      desertedSince = nil
      return false
    }
    let since = desertedSince ?? Clock.seconds
    desertedSince = since
    return Clock.seconds - since >= 2 * killSeconds + 3
  }

  // MARK: - What mpirun left behind

  /// Kills what is left of the session, and waits a little until it is gone: it may hold the run's lock.
  private func removeRest() {
    let end = Clock.seconds + 5
    while !members.isEmpty, Clock.seconds < end {
      killAll()
      usleep(10_000)
      Job.reap()
    }
  }

  private func killAll() { for member in members { kill(member, SIGKILL) } }

  /// Processes of the session that run.
  private var members: [pid_t] { HostProcess.all.filter { $0.session == identifier && !$0.hasEnded }.map(\.identifier) }
}
