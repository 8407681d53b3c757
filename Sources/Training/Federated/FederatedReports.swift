import Communication
import Datasets
import Federated
import Foundation
import Layers
import Tensors

/// What is about to be trained.
public struct FederationStart: Sendable {
  /// Name of the experiment.
  public var name: String
  /// Name of the model.
  public var model: String
  /// Its parameters.
  public var parameters: Int
  /// Where the data come from.
  public var data: String
  /// Training samples of all clients.
  public var samples: Int
  /// Name of the strategy.
  public var strategy: String
  /// Clients there are.
  public var clients: Int
  /// Clients of a round.
  public var cohort: Int
  /// Rounds of the whole run.
  public var rounds: Int
  /// Rounds made before, where a run is resumed.
  public var firstRound: Int
  /// Ranks.
  public var ranks: Int
  /// Threads of a rank.
  public var threads: Int
}

/// What one round was like, and what all so far came to.
public struct RoundReport: Sendable {
  /// The round.
  public var record: RoundRecord
  /// All rounds so far.
  public var progress: FederatedProgress
  /// Rounds of the whole run.
  public var rounds: Int
  /// SHA-256 of the parameters after the round, where it is due.
  public var digest: String?
  /// What became of the round's clients, where a ledger is kept.
  public var clients: [ClientRecord]?

  init(_ record: RoundRecord, _ loop: FederatedLoop, digest: String?) {
    self.record = record
    progress = loop.progress
    rounds = loop.prepared.task.rounds
    self.digest = digest
    clients = loop.keepsLedger ? loop.engine.visits : nil
  }
}

/// What a finished federation reports, with the keys that others rely on.
public struct FederatedSummary: Sendable {
  /// All rounds.
  public var progress: FederatedProgress
  /// Ranks that trained.
  public var ranks: Int
  /// Clients there are.
  public var clients: Int
  /// The name of the strategy.
  public var strategy: String
  /// The server's model on the test set.
  public var test: RoundEvaluation?
  /// How clients do one by one, where they are judged.
  public var clientReport: ClientReport?
  /// Parameters of the model.
  public var parameters: Int
  /// SHA-256 of them, then of shared results.
  public var parametersDigest: String
  /// Payload bytes and messages that each rank sent.
  public var sent: [(bytes: Int, messages: Int)]
  /// Bytes that the transport moved for all ranks.
  public var wireBytes: Int
  /// Most memory of any rank's process.
  public var peakMemoryBytes: Int
  /// Simulated seconds of all rounds.
  public var simulatedSeconds: Double
  /// What more is known at the end, by name.
  public var others: [String: Double]

  /// The object that `--json` prints.
  public func object(verb: String, run: String) -> JSONObject {
    var object: JSONObject = [
      "verb": .text(verb), "ranks": .integer(ranks), "strategy": .text(strategy), "rounds": .integer(progress.round),
      "clients": .integer(clients), "updates": .integer(progress.updates),
      "updates_per_second": .number(progress.seconds > 0 ? Double(progress.updates) / progress.seconds : 0),
      "rejected": .integer(progress.rejected), "lost": .integer(progress.lost),
      "skipped_rounds": .integer(progress.skipped), "steps": .integer(progress.steps),
      "samples": .integer(progress.samples), "seconds": .number(progress.seconds),
      "samples_per_second": .number(progress.seconds > 0 ? Double(progress.samples) / progress.seconds : 0),
      "loss": test.map { .number($0.loss) } ?? .null, "accuracy": test?.accuracy.map { .number($0) } ?? .null,
      "bytes_up": .integer(progress.bytesUp), "bytes_down": .integer(progress.bytesDown),
      "parameters": .integer(parameters), "parameters_digest": .text(parametersDigest),
      "bytes_sent": .list(sent.map { .integer($0.bytes) }), "messages_sent": .list(sent.map { .integer($0.messages) }),
      "wire_bytes": .integer(wireBytes), "peak_memory_bytes": .integer(peakMemoryBytes),
    ]
    if simulatedSeconds > 0 { object["simulated_seconds"] = .number(simulatedSeconds) }
    for (name, value) in others.sorted(by: { $0.key < $1.key }) { object[name] = .number(value) }
    clientReport?.add(to: &object)
    object["run"] = .text(run)
    return object
  }
}

extension FederatedLoop {
  /// What the run comes to.  Collective.
  func summary(_ test: RoundEvaluation?, _ clients: ClientReport?) throws -> FederatedSummary {
    let sent = ledger.total
    let mine = [Int64(sent.bytes), Int64(sent.messages), Int64(ProcessMemory.peak), Int64(communicator.wireBytes)]
    let all = try Agreement.exchange(mine.withUnsafeBytes { Array($0) }, communicator).map { bytes in
      bytes.withUnsafeBytes { Array($0.bindMemory(to: Int64.self)) }
    }
    return FederatedSummary(
      progress: progress, ranks: communicator.size, clients: prepared.task.partition.clients,
      strategy: type(of: prepared.experiment.federated.strategy).name, test: test,
      clientReport: clients,
      parameters: prepared.task.layout.parameterCount, parametersDigest: digest(),
      sent: all.map { (Int($0[0]), Int($0[1])) }, wireBytes: all.reduce(0) { $0 + Int($1[3]) },
      peakMemoryBytes: all.map { Int($0[2]) }.max() ?? 0, simulatedSeconds: engine.simulatedSeconds, others: others)
  }
}
