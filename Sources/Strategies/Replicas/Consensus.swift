import Communication
import Tensors

/// The mean of all replicas, weights and states that move.
///
/// Sends 4(n + m)·(k + 1)·(p − 1)/p bytes for n weights and m states.  What evaluates or keeps the mean without taking it
/// asks for it on the plan's `aside`.
public final class Consensus {
  private let parameters: ReplicaMean
  private let states: ReplicaMean
  private let replicas: [Replica]
  private let first: Int

  /// The mean of this rank's replicas and all others'.  Collective.
  public init(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError) {
    self.replicas = replicas
    first = plan.shards.lowerBound
    parameters = try ReplicaMean(plan, [0..<plan.layout.parameterCount])
    states = try ReplicaMean(plan, [0..<plan.layout.movingStateCount])
  }

  /// Bytes of a consensus of weights and states.
  static func bytes(_ share: RankShare) -> Int { ReplicaMean.copies(share) * share.modelBytes }

  /// Writes the mean into a store.  Collective.
  public func mean(into store: ParameterStore) throws(CommunicationError) {
    try gather()
    write(to: store)
  }

  /// Sets every replica to the mean.  Collective.
  public func average() throws(CommunicationError) {
    try gather()
    for replica in replicas { write(to: replica.store) }
  }

  private func gather() throws(CommunicationError) {
    try parameters.start(0) { [replicas, first] shard, target in
      let source = replicas[shard - first].store.parameters
      target.update(from: source.base, count: source.count)
    }
    try states.start(0) { [replicas, first] shard, target in
      let replica = replicas[shard - first]
      target.update(from: replica.store.states.base, count: replica.stateCount)
    }
    try parameters.finish()
    try states.finish()
  }

  private func write(to store: ParameterStore) {
    parameters.copy(0, to: store.parameters.base)
    states.copy(0, to: store.states.base)
  }

  /// Bytes that this rank sends for a mean.
  public var bytesSent: Int { parameters.bytesSent + states.bytesSent }
}
