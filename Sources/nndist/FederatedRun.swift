import Communication
import Federated
import FederatedNetwork
import Reporting
import Training

/// One rank's part of `train` and `simulate` for a federated configuration: run directory, observers, rounds, result.
struct FederatedRun {
  let verb: String
  let arguments: Arguments

  /// Trains; only rank 0 has a run directory, made once all ranks know that they can train.  Returns rank 0's result, a JSON
  /// object.
  func rank(
    _ prepared: PreparedFederation, _ communicator: any Communicator, for service: FederationService? = nil
  ) throws(RunError) -> String? {
    let resume = arguments.has(.resume)
    let loop = try FederatedLoop(prepared, communicator, remote: service?.server)
    try loop.armFaults(run: arguments.value(.run))
    let directory = try Agreement.together(communicator) { () throws(RunError) -> RunDirectory? in
      guard communicator.rank == 0 else { return nil }
      return try RunDirectory(
        name: prepared.experiment.name, path: arguments.value(.run), resume: resume, faults: loop.writeFaults)
    }
    if try FinishedRun.isOne(directory, arguments, communicator) {
      if let result = directory?.result { service?.farewell(result) }
      return directory?.result
    }
    try loop.keepCheckpoints(in: directory, resume: resume)
    let team = try RankTeam(communicator)
    try Agreement.together(communicator) { () throws(RunError) in
      guard let directory else { return }
      try directory.write(configuration: prepared.resolved)
      try directory.append(try receipt(loop, communicator, team))
      if let warning = team.warning {
        directory.log.write(warning)
        Output.note(warning)
      }
      let done: MetricsLog.Counter? = loop.progress.round > 0 ? .round(loop.progress.round) : nil
      if !arguments.has(.quiet) { loop.observers.append(ProgressBar()) }
      loop.observers.append(
        RunRecorder(metrics: try directory.metrics(resumingAfter: done), log: directory.log))
      if prepared.experiment.federated.ledger || service != nil {
        loop.observers.append(ClientLedger(try directory.clients(resumingAfter: done), directory.log))
      }
    }
    let summary: FederatedSummary
    do throws(RunError) {
      if let service, let directory { try service.begin(loop, directory) }
      summary = try loop.run()
    } catch {
      directory?.log.write("ended with exit code \(error.code.rawValue): \(error.message)")
      throw error
    }
    guard let directory else { return nil }
    let result = summary.object(verb: verb, run: directory.path)
    try directory.finish(result)
    service?.end(loop)
    return result.text
  }
}
