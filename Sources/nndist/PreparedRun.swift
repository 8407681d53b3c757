import Communication
import Configuration
import Training

/// A configuration ready to be run by `train` or `simulate`, whichever kind it is.
enum PreparedRun: Sendable {
  case parallel(TrainingRun, PreparedExperiment)
  case federated(FederatedRun, PreparedFederation)

  /// Reads the configuration that a command names, and its data.
  init(verb: String, _ arguments: Arguments) throws(RunError) {
    let node = try ConfigurationLoading.node(arguments.positional[0], arguments)
    do {
      if FederatedExperiment.isOne(node) {
        self = .federated(
          FederatedRun(verb: verb, arguments: arguments), try PreparedFederation(try FederatedExperiment(node)))
      } else {
        let experiment = try Experiment(node)
        self = .parallel(
          TrainingRun(verb: verb, experiment: experiment, arguments: arguments), try PreparedExperiment(experiment))
      }
    } catch { throw RunError(error) }
  }

  /// One rank's part; rank 0's result, a JSON object.
  func rank(_ communicator: any Communicator) throws(RunError) -> String? {
    switch self {
    case .parallel(let run, let prepared): try run.rank(prepared, communicator)
    case .federated(let run, let prepared): try run.rank(prepared, communicator)
    }
  }

  /// Prints the result: as JSON, or for people.
  static func report(_ result: String, _ arguments: Arguments) {
    Output.line(arguments.has(.json) ? result : ResultText.of(result))
  }
}
