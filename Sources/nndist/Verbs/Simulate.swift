import Communication
import Training

/// `nndist simulate CONFIG`: ranks as threads of this process.
enum Simulate: Verb {
  static let name = "simulate"
  static let usage = "simulate CONFIG"
  static let summary = "trains with ranks as threads of one process; a federation with clients as iterations"
  static let ranks = Flag("--ranks", "N", "ranks to simulate (default 1)")
  static let flags = TrainingRun.flags + [ranks]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    StopSignal.install()
    OwnBinary.begin()
    let count = try arguments.integer(ranks, in: 1...4096) ?? 1
    let run = try PreparedRun(verb: name, arguments)
    let outcomes = InProcessCommunicator.run(ranks: count) { try run.rank($0) }
    // A rank that lost a peer only says so; the rank that failed first knows why.
    let failures = outcomes.compactMap { outcome -> RunError? in
      if case .failure(let error) = outcome { RunError(error) } else { nil }
    }
    if let failure = failures.first(where: { $0.code != .peerLost }) ?? failures.first { throw failure }
    for case .success(let result?) in outcomes { PreparedRun.report(result, arguments) }
    return .done
  }
}
