import Communication
import Optimizers
import Tensors

/// Lets every worker train a replica of its own and brings the replicas together now and then.
///
/// A step of all replicas is: `beginStep`, gradients, `gradientsReady`, update of every replica by its own optimizer,
/// `endStep`; `poll` is called in between.  A replica without samples in a step skips the update, and nothing else.  What is evaluated and kept as the model is their consensus.
public protocol ReplicaStrategy: CommunicationStrategy {
  /// Allocates what it needs; `replicas` are those of this rank's shards, in order, all alike.  Collective.
  func prepare(_ plan: ExchangePlan, _ replicas: [Replica]) throws(CommunicationError)
  /// The replicas have the weights with which training starts, all the same.  Not called when training goes on from a
  /// checkpoint, which restores the strategy's memory.
  func start() throws(CommunicationError)
  /// Before the gradients of a step, counted from 0, are computed.
  func beginStep(_ step: Int) throws(CommunicationError)
  /// The gradients of the step are there, and nothing has moved.
  func gradientsReady(_ step: Int) throws(CommunicationError)
  /// All replicas have moved.
  func endStep(_ step: Int) throws(CommunicationError)
  /// Writes the model that the replicas stand for.  Collective; moves no replica, and is not counted as sent.
  ///
  /// A checkpoint is written right after it, so it completes what is in flight from one step to another, or leaves what the
  /// checkpoint needs to begin it anew: a run that goes on must do the same as one that was not interrupted.
  func consensus(into store: ParameterStore) throws(CommunicationError)
}

extension ReplicaStrategy {
  /// Nothing to remember.
  public func start() throws(CommunicationError) {}
  /// Nothing to do.
  public func beginStep(_ step: Int) throws(CommunicationError) {}
  /// Nothing to do.
  public func gradientsReady(_ step: Int) throws(CommunicationError) {}
  /// Nothing to do.
  public func endStep(_ step: Int) throws(CommunicationError) {}
}
