import Glibc
import Training

/// How an attempt ended, and what that calls for.
struct Ending {
  enum Consequence: Equatable {
    /// The exit code, with nothing to be done.
    case leave(ExitCode)
    /// Stopped at once by a second signal, of this number.
    case interrupted(Int32)
    /// A rank is gone, or all hang: another attempt is worth it, perhaps with one rank fewer.
    case lost
    /// Another attempt of as many ranks is worth it.
    case again
  }

  let consequence: Consequence
  /// What happened, in a few words: `a rank was lost`.
  let event: String
  /// Why: `killed by signal 9`.
  let reason: String

  /// Judges an attempt.
  ///
  /// - `error`: what the first rank to fail said.
  /// - `advanced`: whether the attempt made steps; what fails after it has worked may work again.
  /// - `begun`: whether rank 0 has ever made the run's directory.
  init(
    _ end: Job.End, _ stop: StopRequests, error: String?, attempt: Int, advanced: Bool, begun: Bool, patience: Double
  ) {
    let judged: (Consequence, String)
    if let signal = stop.demand {
      judged = (.interrupted(signal), "interrupted")
    } else if stop.first != nil {
      judged = Ending.stopped(end)
    } else if end.isHung {
      judged = (.lost, "no sign of life for \(Seconds.text(patience))")
    } else {
      judged = Ending.byStatus(end, error: error, attempt: attempt, advanced: advanced, begun: begun)
    }
    consequence = judged.0
    event = judged.1
    reason = end.isHung ? error ?? "nothing was written to the run directory" : Ending.reason(end, error)
  }

  /// After a signal nothing is restarted.
  private static func stopped(_ end: Job.End) -> (Consequence, String) {
    switch end.status {
    // Ranks, or mpirun itself, that were not yet listening: nothing was trained since they started.
    case 10, 128 + SIGUSR1: (.leave(.stopped), "stopped")
    case let status where status > ExitCode.unauthorised.rawValue || status == 1:
      (.leave(.peerLost), "a rank was lost while stopping")
    case let status: (.leave(ExitCode(rawValue: status) ?? .peerLost), "ended")
    }
  }

  private static func byStatus(
    _ end: Job.End, error: String?, attempt: Int, advanced: Bool, begun: Bool
  ) -> (Consequence, String) {
    switch ExitCode(rawValue: end.status) {
    case .peerLost: (.lost, "a rank was lost")
    case .desynchronised: (advanced ? .again : .leave(.desynchronised), "the ranks disagreed")
    // Ranks of the attempt before that die slowly on another host; in the first attempt it is someone else's.
    case .refused:
      (
        attempt > 1 && error?.contains("is in use by") == true ? .again : .leave(.refused),
        "the run directory was locked"
      )
    case .internalError where error != nil: (advanced ? .lost : .leave(.internalError), "a rank failed")
    case .internalError: (attempt > 1 || begun ? .lost : .leave(.internalError), "mpirun failed")
    case nil where Ending.isSignal(end.status): (.lost, end.signal != 0 ? "mpirun was lost" : "a rank was lost")
    case nil: (attempt > 1 || begun ? .lost : .leave(.internalError), "mpirun failed")
    case let code?: (.leave(code), code == .done ? "done" : "ended")
    }
  }

  private static func isSignal(_ status: Int32) -> Bool { status > 128 && status <= 128 + 64 }

  private static func reason(_ end: Job.End, _ error: String?) -> String {
    guard isSignal(end.status) else { return error ?? "exit status \(end.status)" }
    return "killed by signal \(end.status - 128)" + (error.map { "; \($0)" } ?? "")
  }
}

/// Seconds for people.
enum Seconds {
  /// `1 s`, `0.5 s`.
  static func text(_ seconds: Double) -> String {
    let tenths = (seconds * 10).rounded() / 10
    return tenths == tenths.rounded() ? "\(Int(tenths)) s" : "\(tenths) s"
  }
}
