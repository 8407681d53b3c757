import Datasets
import Federated

/// What a federation will come to, as far as its configuration and the partition say.
public struct FederationEstimate: Sendable {
  /// Name of the strategy.
  public let strategy: String
  /// Clients there are, and of a round.
  public let clients: Int
  /// Clients of a round.
  public let cohort: Int
  /// Rounds.
  public let rounds: Int
  /// Samples of the client with the fewest, and of the one with the most.
  public let samples: ClosedRange<Int>
  /// Clients without samples.
  public let emptyClients: Int
  /// Bytes that a client sends in a round, before compression.
  public let uploadBytes: Int
  /// Bytes that a client is sent in a round.
  public let downloadBytes: Int
  /// Bytes that a client's memory takes; 0 where it remembers nothing.
  public let stateBytes: Int
  /// Bytes of clients' memories that may lie in a rank's memory; the others lie in a file.
  public let stateMemory: Int

  /// Works it out; throws where strategy, setting and task do not go together.
  public init(_ prepared: PreparedFederation) throws(RunError) {
    let (task, federated) = (prepared.task, prepared.experiment.federated)
    let plan: FederatedPlan
    do throws(FederatedError) {
      plan = try FederatedEngine.plan(task, federated.strategy, prepared.setting)
    } catch { throw RunError(error) }
    strategy = type(of: federated.strategy).name
    clients = task.partition.clients
    cohort = task.cohort
    rounds = task.rounds
    var (least, most, empty) = (Int.max, 0, 0)
    for client in 0..<clients {
      let count = task.partition.count(of: client)
      (least, most) = (min(least, count), max(most, count))
      if count == 0 { empty += 1 }
    }
    samples = least...most
    emptyClients = empty
    uploadBytes = plan.uploadBytes
    downloadBytes = plan.downloadBytes.other
    stateBytes = 4 * plan.memoryCount
    stateMemory = prepared.setting.stateMemory
  }

  /// As keys of an object.
  public var object: JSONObject {
    [
      "strategy": .text(strategy), "clients": .integer(clients), "cohort": .integer(cohort), "rounds": .integer(rounds),
      "client_samples": [.integer(samples.lowerBound), .integer(samples.upperBound)],
      "empty_clients": .integer(emptyClients), "bytes_up_per_client": .integer(uploadBytes),
      "bytes_down_per_client": .integer(downloadBytes), "bytes_up_per_round": .integer(cohort * uploadBytes),
      "bytes_down_per_round": .integer(cohort * downloadBytes), "client_state_bytes": .integer(stateBytes),
      "all_client_states_bytes": .integer(clients * stateBytes),
    ]
  }
}
