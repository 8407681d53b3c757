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
  /// Whether a rank has said why.
  let isSaid: Bool

  /// What a judgement depends on beside the status.
  struct Circumstances {
    /// The attempt's number, from 1.
    let attempt: Int
    /// Whether rank 0 has ever made the run's directory.
    let hasBegun: Bool
    /// Whether the attempt made steps: what fails after it has worked may work again.
    let hasAdvanced: Bool
    /// Whether the newest checkpoint holds the last step.
    let isSaved: Bool
    /// Seconds without a sign of life after which a job counts as hanging.
    let patience: Double
  }

  /// Judges an attempt; `error` is what the first rank to fail said.
  init(_ end: Job.End, _ stop: StopRequests, error: String?, _ circumstances: Circumstances) {
    if let signal = stop.demand {
      (consequence, event) = (.interrupted(signal), "interrupted")
    } else if stop.first != nil {
      (consequence, event) = Ending.stopped(end, isSaved: circumstances.isSaved)
    } else if end.isDeserted {
      (consequence, event) = (.lost, "all ranks of this host were lost")
    } else if end.isHung {
      (consequence, event) = (.lost, "no sign of life for \(Seconds.text(circumstances.patience))")
    } else {
      (consequence, event) = Ending.byStatus(end, error, circumstances)
    }
    isSaid = error != nil
    reason =
      end.isDeserted
      ? error ?? "mpirun did not end by itself"
      : end.isHung ? error ?? "nothing was written to the run directory" : Ending.reason(end, error)
  }

  /// After a signal nothing is restarted.
  private static func stopped(_ end: Job.End, isSaved: Bool) -> (Consequence, String) {
    switch ExitCode(rawValue: end.status) {
    // mpirun's own status where the signal reached it too, and that of ranks, or mpirun, which were not listening yet:
    // nothing was trained since they started.
    case _ where end.status == 128 + SIGUSR1 || end.status != 0 && isSaved: (.leave(.stopped), "stopped")
    case .internalError, nil: (.leave(.peerLost), "a rank was lost while stopping")
    case let code?: (.leave(code), code == .stopped ? "stopped" : "ended")
    }
  }

  private static func byStatus(
    _ end: Job.End, _ error: String?, _ circumstances: Circumstances
  ) -> (Consequence, String) {
    let (attempt, advanced) = (circumstances.attempt, circumstances.hasAdvanced)
    switch ExitCode(rawValue: end.status) {
    case .peerLost: return (.lost, "a rank was lost")
    case .desynchronised: return (advanced ? .again : .leave(.desynchronised), "the ranks disagreed")
    // Held by ranks of the attempt before, which die slowly on another host; in the first attempt it is someone else's.
    case .refused where attempt > 1 && error?.contains("is in use by") == true:
      return (.again, "the run directory was locked")
    case .internalError where error != nil: return (advanced ? .lost : .leave(.internalError), "a rank failed")
    case nil where isSignal(end.status): return (.lost, end.signal != 0 ? "mpirun was lost" : "a rank was lost")
    case .internalError, nil:
      return (attempt > 1 || circumstances.hasBegun ? .lost : .leave(.internalError), "mpirun failed")
    case let code?: return (.leave(code), code == .done ? "done" : "ended")
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
