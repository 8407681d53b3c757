import Glibc
import Reporting
import Training

/// Keeps a job going: starts it, notices that it died or hangs, and starts it again from the newest checkpoint.
struct Supervisor {
  /// Options of mpirun besides the number of ranks.
  let options: [String]
  /// What ranks run: the verb of nndist and its words.
  let command: [String]
  /// The run directory; nil for a verb that has none, which is started once.
  let run: String?
  let policy: RestartPolicy
  /// Seconds without a sign of life after which a job counts as hanging; nil for never.
  let patience: Double?
  /// Whether the last line of standard output is a JSON object that is to hold the number of attempts.
  let printsJSON: Bool

  /// An attempt: how it began and how it ended.
  private struct Attempt {
    let number: Int
    let ranks: Int
    let before: RunState?
    var after: RunState?
    /// Steps made at its end.
    var step = 0
    var status: Int32 = 0
    var seconds = 0.0
  }

  /// Runs to the end; what this process is to exit with.
  func supervise() throws(RunError) -> Int32 {
    let stop = try StopRequests()
    var log = run.map { LaunchLog(run: $0) }
    var ranks = policy.ranks
    var firstCause: String?
    // Pauses since there was progress.
    var pauses = 0
    let start = run.map { RunState($0).checkpoint } ?? 0
    var furthest = (step: start, checkpoint: start)
    var number = 0
    while true {
      number += 1
      let (attempt, ending) = try once(number, ranks: ranks, stop)
      if let after = attempt.after { log?.append(record(attempt, ending), hasBegun: after.hasBegun) }
      switch ending.consequence {
      case .interrupted(let signal):
        say("interrupted\(place(attempt)); \(wayOn)")
        return 128 + signal
      case .leave(let code):
        try leave(attempt, ending, code)
        return code.rawValue
      case .lost, .again: break
      }
      let cause = "attempt \(number)\(place(attempt)): \(ending.event) (\(ending.reason))"
      guard number <= policy.restarts else {
        let first = firstCause.map { "the first cause was \($0); the last, " } ?? ""
        throw RunError(.peerLost, "gave up after \(Numerals.plural(number, "attempt")): \(first)\(cause); \(wayOn)")
      }
      firstCause = firstCause ?? cause
      let checkpoint = attempt.after?.checkpoint ?? 0
      let hasAdvanced = attempt.step > furthest.step || checkpoint > furthest.checkpoint
      furthest = (max(attempt.step, furthest.step), max(checkpoint, furthest.checkpoint))
      if hasAdvanced { pauses = 0 }
      ranks = policy.ranks(after: ranks, ending.consequence)
      let pause = policy.pause(after: pauses)
      pauses += 1
      say(
        "attempt \(number) of \(policy.restarts + 1): \(ending.event)\(place(attempt)) (\(ending.reason)); "
          + "\(restart(attempt)) with \(Numerals.plural(ranks, "rank")) in \(Seconds.text(pause))")
      guard stop.sleep(seconds: pause) else {
        say("stopped by a signal before the next attempt; \(wayOn)")
        return ExitCode.stopped.rawValue
      }
    }
  }

  /// One attempt, from start to end.
  private func once(_ number: Int, ranks: Int, _ stop: StopRequests) throws(RunError) -> (Attempt, Ending) {
    let before = run.map { RunState($0) }
    var attempt = Attempt(number: number, ranks: ranks, before: before)
    let launcher = try MPIRunCommand(
      ["-n", "\(ranks)"] + options + ["nndist"] + words(resuming: number > 1),
      variables: ["NNDIST_ATTEMPT": "\(number)"])
    let errors = try ErrorRelay()
    let output = printsJSON ? try ResultRelay() : nil
    let start = Clock.seconds
    var seen: (state: RunState, moment: Double)? = before.map { ($0, start) }
    let job = try Job(launcher, output: output, errors: errors)
    let end = job.wait(
      stop, relays: output.map { [errors, $0] } ?? [errors],
      interval: run == nil ? nil : patience.map { min(max($0 / 10, 0.05), 5) },
      isHung: {
        guard let run, let patience, let last = seen else { return false }
        let now = RunState(run)
        if !now.isAsSilent(as: last.state) { seen = (now, Clock.seconds) }
        return Clock.seconds - (seen?.moment ?? 0) >= patience
      },
      say: { say($0) })
    attempt.seconds = Clock.seconds - start
    attempt.status = end.status
    attempt.after = run.map { RunState($0) }
    if let before, let after = attempt.after { attempt.step = after.step(since: before) }
    let ending = Ending(
      end, stop, error: errors.firstError,
      Ending.Circumstances(
        attempt: number, hasBegun: attempt.after?.hasBegun ?? false,
        hasAdvanced: attempt.step > before?.checkpoint ?? 0,
        isSaved: attempt.step > 0 && attempt.step == attempt.after?.checkpoint, patience: patience ?? 0))
    output?.writeLast(adding: "attempts", .integer(number))
    return (attempt, ending)
  }

  /// The verb's words; a restart goes on from the newest checkpoint.
  private func words(resuming: Bool) -> [String] {
    guard resuming, run != nil, !command.prefix(while: { $0 != "--" }).contains("--resume") else { return command }
    return [command[0], "--resume"] + command[1...]
  }

  // MARK: - What is said

  /// Says how it ended where no rank has said it.
  private func leave(_ attempt: Attempt, _ ending: Ending, _ code: ExitCode) throws(RunError) {
    switch code {
    case .done:
      if attempt.number > 1 { say("attempt \(attempt.number) of \(policy.restarts + 1): done\(place(attempt))") }
    case .stopped where attempt.status != code.rawValue: say("stopped by a signal\(place(attempt)); \(wayOn)")
    case .peerLost: throw RunError(.peerLost, "\(ending.event)\(place(attempt)) (\(ending.reason)); \(wayOn)")
    case .internalError where !ending.isSaid:
      throw RunError(
        .internalError,
        "mpirun ended with status \(attempt.status) before training began; NNDIST_MPIRUN_VERBOSE=1 shows its own report"
      )
    default: break
    }
  }

  private func say(_ text: String) { Output.errorText("nndist launch: \(text)\n") }

  /// ` after step 120`.
  private func place(_ attempt: Attempt) -> String {
    guard attempt.after != nil else { return "" }
    return attempt.step > 0 ? " after step \(attempt.step)" : " before the first step"
  }

  private func restart(_ attempt: Attempt) -> String {
    guard let checkpoint = attempt.after?.checkpoint, checkpoint > 0 else { return "starting again" }
    return "going on from step \(checkpoint)"
  }

  private var wayOn: String { run.map { "--run \($0) --resume goes on" } ?? "start it again" }

  private func record(_ attempt: Attempt, _ ending: Ending) -> JSONObject {
    [
      "attempt": .integer(attempt.number), "ranks": .integer(attempt.ranks), "status": .integer(Int(attempt.status)),
      "cause": .text(ending.consequence == .leave(.done) ? ending.event : "\(ending.event) (\(ending.reason))"),
      "seconds": .number((attempt.seconds * 1000).rounded() / 1000),
      "step_before": .integer(attempt.before?.checkpoint ?? 0), "step_after": .integer(attempt.step),
      "checkpoint_after": .integer(attempt.after?.checkpoint ?? 0),
    ]
  }
}
