import Communication
import Reporting
import Training

/// One rank's part of `train` and `simulate` for a federated configuration: run directory, observers, rounds, result.
struct FederatedRun {
  let verb: String
  let arguments: Arguments

  /// Trains; only rank 0 has a run directory.  Returns rank 0's result, a JSON object.
  func rank(_ prepared: PreparedFederation, _ communicator: any Communicator) throws(RunError) -> String? {
    let loop = try FederatedLoop(prepared, communicator)
    let directory = try Agreement.together(communicator) { () throws(RunError) -> RunDirectory? in
      guard communicator.rank == 0 else { return nil }
      return try RunDirectory(
        name: prepared.experiment.name, path: arguments.value(.run), resume: arguments.has(.resume))
    }
    try Agreement.together(communicator) { () throws(RunError) in
      guard let directory else { return }
      try directory.write(configuration: prepared.resolved)
      let metrics = try directory.metrics()
      if !arguments.has(.quiet) { loop.observers.append(ProgressBar()) }
      loop.observers.append(RunRecorder(metrics: metrics, log: directory.log))
    }
    let summary: FederatedSummary
    do throws(RunError) {
      summary = try loop.run()
    } catch {
      directory?.log.write("ended with exit code \(error.code.rawValue): \(error.message)")
      throw error
    }
    guard let directory else { return nil }
    let result = summary.object(verb: verb, run: directory.path)
    try directory.finish(result)
    return result.text
  }
}
