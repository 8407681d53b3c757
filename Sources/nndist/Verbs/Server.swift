import Communication
import Configuration
import Federated
import Training

/// `nndist server CONFIG`: the server of a federation whose clients are elsewhere.
enum Server: Verb {
  static let name = "server"
  static let usage = "server CONFIG --listen tcp://HOST:PORT"
  static let summary = "serves a federation whose clients run elsewhere, as nndist client"
  static let keys = Flag("--keys", "DIR", "folder with the server's keys and whom it admits, made by nndist keys")
  static let fixedNoise = Flag(
    "--fixed-noise", nil, "noise of federated.privacy from the seed, as in simulate; for tests, on loopback only")
  static let status = Flag(
    "--status", "URL", "shows how the federation stands at http://HOST:PORT: a page, status.json and metrics")
  static let flags =
    [NetworkAddress.listen, keys, status, NetworkAddress.insecure, fixedNoise] + TrainingRun.flags

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    StopSignal.install()
    OwnBinary.begin()
    let node = try ConfigurationLoading.node(arguments.positional[0], arguments)
    guard FederatedExperiment.isOne(node) else {
      throw RunError(.configuration, "\(arguments.positional[0]) has no section federated, which a server needs")
    }
    do {
      let isFixed = arguments.has(fixedNoise)
      if isFixed, !NetworkAddress.isLoopback(try NetworkAddress.listening(arguments)) {
        throw RunError(
          .usage, "--fixed-noise goes on loopback only: clients know the seed, and could take the noise away")
      }
      let prepared = try PreparedFederation(try FederatedExperiment(node)).served(fixedNoise: isFixed)
      let federated = prepared.experiment.federated
      guard federated.participation == nil || prepared.setting.secureAggregation == nil else {
        throw RunError(
          .configuration,
          "federated.participation is for simulate here: with federated.secure-aggregation clients draw the cohort themselves, and "
            + "do not follow another; leave it out")
      }
      let service = try FederationService(prepared, arguments)
      let run = FederatedRun(verb: name, arguments: arguments)
      if let result = try run.rank(prepared, InProcessCommunicator.alone(), for: service) {
        PreparedRun.report(result, arguments)
      }
      return .done
    } catch { throw RunError(error) }
  }
}
