import Configuration
import Datasets
import Federated
import FederatedNetwork
import Training

/// A client's part in a federation: its run directory, its limits, and its result.
struct ClientRun {
  private let arguments: Arguments
  private let own: Node
  private let limits: ClientLimits
  private let client: Int
  private let address: String
  private let name: String

  init(_ arguments: Arguments) throws(RunError) {
    self.arguments = arguments
    own = try ConfigurationLoading.node(arguments.positional[0], arguments)
    guard let number = try arguments.integer(Client.client, in: 0...1_000_000_000) else {
      throw RunError(.usage, "--client is missing; write --client 0 for the first")
    }
    client = number
    address = try NetworkAddress.connecting(arguments)
    do { (name, limits) = try ClientConfiguration.read(own) } catch { throw RunError(error) }
  }

  /// Takes part until the federation is over; a JSON object.
  func run() throws(RunError) -> String {
    let identity = try NetworkIdentity.client(client, arguments)
    let patience = try arguments.seconds(Client.patience) ?? 600
    let directory = try RunDirectory(
      name: "\(name)-client\(client)", path: arguments.value(.run), resume: arguments.has(.resume))
    if let result = directory.result { return result }
    let log = directory.log
    let isQuiet = arguments.has(.quiet)
    do {
      var options = ClientOptions(
        address: address, client: client, keys: identity.map { ($0.pair, $0.server) }, program: Version.text,
        patience: patience, stop: StopSignal.descriptor,
        log: { line in
          log.write(line)
          if !isQuiet { Output.note(line.onOneLine) }
        })
      options.others = identity?.clients ?? [:]
      let federated = try FederatedClient(options, store: ClientStore(directory.path)) { [limits] order in
        limits.refusal(of: order)
      }
      let summary = try federated.run { text in
        let prepared = try FederationTask.prepare(
          text, own: own, limits: limits, client: client, data: arguments.value(Client.data))
        try directory.write(configuration: prepared.resolved)
        guard client < prepared.task.partition.clients else {
          throw RunError(
            .unauthorised, "there is no client \(client): the federation has \(prepared.task.partition.clients)")
        }
        return try RemoteClient(
          prepared.task, prepared.experiment.federated.strategy, prepared.setting, client: client)
      }
      let result = object(summary, directory)
      try directory.finish(result)
      return result.text
    } catch {
      let error = RunError(error)
      log.write("ended with exit code \(error.code.rawValue): \(error.message)")
      throw error
    }
  }

  private func object(_ summary: ClientSummary, _ directory: RunDirectory) -> JSONObject {
    [
      "verb": .text(Client.name), "client": .integer(client), "rounds": .integer(summary.rounds),
      "visits": .integer(summary.visits), "updates": .integer(summary.updates), "dropped": .integer(summary.dropped),
      "steps": .integer(summary.steps), "samples": .integer(summary.samples),
      "loss": summary.loss.map { .number($0) } ?? .null, "bytes_up": .integer(summary.bytesUp),
      "bytes_down": .integer(summary.bytesDown), "parameters_digest": .text(summary.digest),
      "run": .text(directory.path),
    ]
  }
}
