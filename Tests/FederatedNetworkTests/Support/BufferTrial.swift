import Communication
import Configuration
import Datasets
import Federated
import FederatedNetwork
import Foundation
import Layers
import Synchronization
import Tensors
import Training

/// A small asynchronous federation: its server in the calling thread, its clients in others, and all between them by ZeroMQ.
final class BufferTrial {
  let prepared: PreparedFederation
  /// Updates of the server that were kept.
  let progress = Progress()
  /// What became of whom, update by update.
  private(set) var visits: [[ClientRecord]] = []
  private var address = "tcp://127.0.0.1:0"
  private var server: FederatedServer?
  private(set) var engine: FederatedEngine
  private var clients: [ClientThread] = []

  /// Reads `federated.asynchronous`.
  init(_ asynchronous: String, clients: Int, rounds: Int) throws {
    let text = """
      seed: 5
      model: {name: mlp, widths: []}
      data: digits
      federated: {clients: \(clients), rounds: \(rounds), partition: {name: resample, samples: 20}, asynchronous: \(asynchronous)}
      optimizer: {name: sgd, learning-rate: 0.1}
      """
    prepared = try PreparedFederation(try FederatedExperiment(try Node.parse(text, file: "trial.yaml")))
    engine = try BufferTrial.engine(prepared, prepared.setting)
    try listen()
  }

  private static func engine(
    _ prepared: PreparedFederation, _ setting: FederatedSetting, _ remote: (any RemoteVisits)? = nil
  ) throws -> FederatedEngine {
    let store = ParameterStore(prepared.task.layout)
    prepared.task.layout.initialise(store, seed: prepared.task.seed)
    return try FederatedEngine(
      prepared.task, prepared.experiment.federated.strategy, setting, model: store, threads: 1,
      InProcessCommunicator.alone(), remote: remote)
  }

  private func listen() throws {
    let made = try FederatedServer(
      FederationDescription(
        task: "trial", clients: prepared.task.partition.clients, wanted: nil, network: NetworkOptions()),
      ServerOptions(address: address, keys: nil, program: "test", stop: -1, log: { _ in }))
    address = made.address
    server = made
    engine = try BufferTrial.engine(prepared, prepared.setting, made)
    made.engine = engine
  }

  /// Starts a client; `delay` is called before each visit.
  func start(_ client: Int, delay: @escaping @Sendable (VisitOrder) -> Void = { _ in }) {
    let thread = ClientThread(client, address, prepared, delay)
    clients.append(thread)
    thread.start()
  }

  /// Waits until all clients that were started are there.
  func gather() throws { try server?.wait(for: clients.count) }

  /// Makes updates until there are so many, and tells clients of each but the last where `tellsLast` is false.
  func advance(to round: Int, tellsLast: Bool = true) throws {
    guard let server else { return }
    while visits.count < round {
      _ = try engine.round(visits.count)
      visits.append(engine.visits)
      if tellsLast || visits.count < round { server.kept(visits.count - 1) }
      progress.reach(visits.count)
    }
  }

  /// Ends the server, and starts another one from what a checkpoint of it would hold, to which all clients come back.
  func restart() throws {
    let model = engine.broadcast.model
    let before = ([model.parameters, model.states] + engine.memory.map(\.storage)).map { Array($0.scalars) }
    server = nil
    try listen()
    let own = [engine.broadcast.model.parameters, engine.broadcast.model.states] + engine.memory.map(\.storage)
    for (storage, scalars) in zip(own, before) {
      for (place, scalar) in scalars.enumerated() { storage.base[place] = scalar }
    }
    try server?.wait(for: clients.count)
  }

  /// Ends the federation; what clients say of themselves.
  func end() throws -> [Int: ClientSummary] {
    try server?.finish(rounds: visits.count, digest: "end", seconds: 30)
    return try Dictionary(uniqueKeysWithValues: clients.map { ($0.client, try $0.result()) })
  }

  /// Bits of the server's model.
  var bits: [UInt32] { engine.broadcast.model.parameters.scalars.map(\.bitPattern) }

  /// Bits that a simulation comes to with the same visits.
  func simulated() throws -> [UInt32] {
    var setting = prepared.setting
    setting.participation = Participation(
      Dictionary(
        uniqueKeysWithValues: visits.enumerated().map { round, records in
          (
            round,
            Participation.Round(
              clients: records.map { Int32($0.client) }, counted: records.map { $0.status == .accepted },
              samples: records.map(\.samples), versions: records.map { $0.version ?? 0 })
          )
        }))
    let engine = try BufferTrial.engine(prepared, setting)
    for round in visits.indices { _ = try engine.round(round) }
    return engine.broadcast.model.parameters.scalars.map(\.bitPattern)
  }

  /// How far the server is, for clients that wait for that.
  final class Progress: @unchecked Sendable {
    private let condition = NSCondition()
    private var reached = 0

    func reach(_ round: Int) {
      condition.withLock { reached = max(reached, round) }
      condition.broadcast()
    }

    func wait(for round: Int) {
      condition.withLock { while reached < round { condition.wait() } }
    }
  }
}

/// A client in a thread of its own.
private final class ClientThread: @unchecked Sendable {
  let client: Int
  private let address: String
  private let prepared: PreparedFederation
  private let delay: @Sendable (VisitOrder) -> Void
  private let done = DispatchSemaphore(value: 0)
  private let outcome = Mutex<Result<ClientSummary, any Error>?>(nil)

  init(
    _ client: Int, _ address: String, _ prepared: PreparedFederation, _ delay: @escaping @Sendable (VisitOrder) -> Void
  ) {
    (self.client, self.address, self.prepared, self.delay) = (client, address, prepared, delay)
  }

  func start() {
    let thread = Thread { [self] in
      let result = Result {
        let options = ClientOptions(
          address: address, client: client, keys: nil, program: "test", patience: 60, stop: -1, log: { _ in })
        return try FederatedClient(options, store: nil) { [delay] order in
          delay(order)
          return nil
        }.run { [prepared, client] _ in
          try RemoteClient(
            prepared.task, prepared.experiment.federated.strategy, prepared.setting, client: client)
        }
      }
      outcome.withLock { $0 = result }
      done.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  func result() throws -> ClientSummary {
    done.wait()
    return try outcome.withLock { try $0!.get() }
  }
}
