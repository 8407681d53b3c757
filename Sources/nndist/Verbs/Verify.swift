import Communication
import Foundation
import Reporting
import Training

/// `nndist verify RUN`: makes a stretch again and confirms its digest.
enum Verify: Verb {
  static let name = "verify"
  static let usage = "verify RUN"
  static let summary = "makes a stretch of a run again and confirms its digests"
  static let details = """
    From the newest whole checkpoint before the last digest that RUN recorded, or from the beginning where none is kept, up \
    to that digest, in one process, whatever number of ranks trained. With --step K: from the newest checkpoint before step K \
    up to the first digest at or after it. Every digest on the way is compared. RUN is only read, and may be going on. The \
    steps of a federation are its rounds.

    What is not as the run's receipt says (configuration, data, program, instructions) is noted. The exit code is 0 where all \
    digests are confirmed, and 7 where one is not.

    Examples:
      nndist verify runs/fashion
      nndist verify runs/fashion --step 400 --threads 2 --json
    """
  static let step = Flag("--step", "K", "the step to be confirmed (default: the last one with a digest)")
  static let threads = Flag("--threads", "N", "threads that compute (default: those of a rank of the run)")
  static let flags: [Flag] = [step, threads, .json, .quiet]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    if let launcher = LauncherEnvironment.detect(), launcher.size != 1 {
      guard launcher.rank == 0 else { return .usage }
      throw RunError(.usage, "verify is one process, whatever number of ranks trained; start it without mpirun")
    }
    OwnBinary.begin()
    let path = arguments.positional[0]
    let verification = try Verification(path, step: try arguments.integer(step, in: 1...Int.max))
    var notes: [String] = []
    let outcome = try verification.execute(
      threads: try arguments.integer(threads, in: 1...1024), observers: arguments.has(.quiet) ? [] : [ProgressBar()],
      program: { (compute) throws(RunError) in try .current(of: compute, isMPI: false) },
      note: { text in
        notes.append(text)
        Output.note("note: \(text)")
      })
    if arguments.has(.json) {
      Output.line(object(outcome, verification, notes).text)
    } else if outcome.isConfirmed {
      report(outcome, verification)
    }
    guard outcome.isConfirmed else {
      throw RunError(
        .desynchronised,
        "\(unit(verification)) \(outcome.step) of \(verification.run) is not confirmed: \(outcome.expected.source) says "
          + "\(outcome.expected.digest), and \(origin(outcome)) it came to \(outcome.found)")
    }
    return .done
  }

  /// What the run counts.
  private static func unit(_ verification: Verification) -> String { verification.isFederation ? "round" : "step" }

  private static func origin(_ outcome: Verification.Outcome) -> String {
    outcome.checkpoint.map { "from \($0)" } ?? "from the beginning"
  }

  private static func report(_ outcome: Verification.Outcome, _ verification: Verification) {
    let steps = outcome.step - outcome.start
    Output.result(
      "made again",
      "\(unit(verification))s \(Numerals.grouped(outcome.start + 1)) to \(Numerals.grouped(outcome.step)) (\(Numerals.grouped(steps))) "
        + "\(origin(outcome))" + String(format: ", %.1f s", outcome.seconds))
    Output.result("expected", "\(outcome.expected.digest) (\(outcome.expected.source))")
    Output.result("found", outcome.found)
    let others = outcome.compared - 1
    Output.result(
      "result",
      Terminal.green("confirmed") + (others > 0 ? ", with \(others) digest\(others == 1 ? "" : "s") before it" : ""))
  }

  private static func object(
    _ outcome: Verification.Outcome, _ verification: Verification, _ notes: [String]
  ) -> JSONObject {
    [
      "verb": .text(name), "run": .text(verification.run), "confirmed": .flag(outcome.isConfirmed),
      "start": .integer(outcome.start), "checkpoint": outcome.checkpoint.map { .text($0) } ?? nil,
      "step": .integer(outcome.step), "expected": .text(outcome.expected.digest),
      "source": .text(outcome.expected.source), "parameters_digest": .text(outcome.found),
      "digests": .integer(outcome.compared), "seconds": .number(outcome.seconds),
      "notes": .list(notes.map { .text($0) }),
    ]
  }
}
