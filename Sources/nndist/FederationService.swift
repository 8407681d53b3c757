import Datasets
import Federated
import FederatedNetwork
import Foundation
import Synchronization
import Training

/// The network side of `nndist server`: it exists before the rounds do, and tells them what it sees once they have a log.
final class FederationService {
  let server: FederatedServer
  private let log: LateLog
  private let board: StatusBoard?
  private let page: StatusServer?
  /// Clients with keys; nil where connections go without.
  private let admitted: Set<Int>?
  private let simulatesDevices: Bool

  init(_ prepared: PreparedFederation, _ arguments: Arguments) throws(RunError) {
    let log = LateLog()
    self.log = log
    let strategy = type(of: prepared.experiment.federated.strategy).name
    var (board, page): (StatusBoard?, StatusServer?)
    if let address = arguments.value(Server.status) {
      let shown = StatusBoard(
        FederationStatus(
          name: prepared.experiment.name, strategy: strategy, rounds: prepared.task.rounds,
          clients: prepared.task.partition.clients, started: WallClock.seconds))
      do { page = try StatusServer(at: try .parse(address), showing: shown) } catch { throw RunError(error) }
      board = shown
    }
    (self.board, self.page) = (board, page)
    let network = prepared.experiment.federated.network
    let keys = try NetworkIdentity.server(arguments)
    admitted = keys.map { Set($0.clients.values) }
    simulatesDevices = !prepared.experiment.federated.devices.isIdeal
    do {
      server = try FederatedServer(
        FederationDescription(
          task: try FederationTask.text(of: prepared), clients: prepared.task.partition.clients,
          wanted: network.overSelection > 1 ? prepared.task.cohort : nil, network: network),
        ServerOptions(
          address: try NetworkAddress.listening(arguments), keys: keys, program: Version.text,
          stop: StopSignal.descriptor, board: board, log: { log.write($0) }))
    } catch { throw RunError(error) }
  }

  /// The federation begins; clients that bring their own data must all be there, since weights depend on what they have.
  func begin(_ loop: FederatedLoop, _ directory: RunDirectory) throws(RunError) {
    server.engine = loop.engine
    log.begin(directory.log)
    for line in ["listening on \(server.address)"] + (page.map { ["status at \($0.address)"] } ?? []) {
      Output.note(line)
      directory.log.write(line)
    }
    if let board { loop.observers.append(StatusObserver(board)) }
    let (network, task) = (loop.prepared.experiment.federated.network, loop.prepared.task)
    for line in notes(task.partition.clients) {
      Output.note(line)
      directory.log.write(line)
    }
    // A deadline that passes before anyone had the time to come would only skip rounds.
    let needed =
      network.largestClient != nil
      ? task.partition.clients : network.deadline == nil ? 0 : min(max(1, network.minimum), task.partition.clients)
    do { try server.wait(for: needed) } catch { throw RunError(error) }
  }

  /// What of the configuration means something else here than it seems to.
  private func notes(_ clients: Int) -> [String] {
    let missing = admitted.map { admitted in (0..<clients).filter { !admitted.contains($0) } } ?? []
    let shown = missing.prefix(10).map(String.init).joined(separator: ", ") + (missing.count > 10 ? ", …" : "")
    return
      (missing.isEmpty
      ? [] : ["the key folder admits \(clients - missing.count) of \(clients) clients; without keys: \(shown)"])
      + (simulatesDevices
        ? ["federated.devices is for simulations: here clients are as fast and as faithful as they are"] : [])
  }

  /// The federation was over before this process began: whoever comes is told.
  func farewell(_ result: String) {
    guard let object = try? JSONSerialization.jsonObject(with: Data(result.utf8)) as? [String: Any],
      let rounds = object["rounds"] as? Int, let digest = object["parameters_digest"] as? String
    else { return }
    Output.note("listening on \(server.address)")
    Output.note("the federation is over; clients that come in the next seconds are told")
    try? server.finish(rounds: rounds, digest: digest, returns: true)
  }

  /// The federation is over, and its result is kept: clients are told, as far as they are there.
  func end(_ loop: FederatedLoop) {
    board?.update { status in
      (status.state, status.ended, status.digest) = (.finished, WallClock.seconds, loop.digest())
    }
    // A signal that comes now stops nothing but this.
    try? server.finish(rounds: loop.progress.round, digest: loop.digest())
  }
}

/// Lines for a log that does not exist yet, kept until it does.
private final class LateLog: Sendable {
  private let state = Mutex<(log: RunLog?, lines: [String])>((nil, []))

  func write(_ line: String) {
    state.withLock { state in
      if let log = state.log { log.write(line) } else if state.lines.count < 1000 { state.lines.append(line) }
    }
  }

  func begin(_ log: RunLog) {
    state.withLock { state in
      for line in state.lines { log.write(line) }
      state = (log, [])
    }
  }
}
