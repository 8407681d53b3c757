import Communication
import Optimizers
import Tensors

/// Exchanges gradients in every step; one model, the same on all ranks, moves by what comes out.
///
/// A shard's gradient is the sum over its samples divided by the samples of the whole step, so that the plain result is the
/// sum over shards.  Behind the gradients a block holds statistics and sums of the step (its tail), which every strategy
/// adds exactly, in the order of the tree.
public protocol GradientStrategy: CommunicationStrategy {
  /// What it is given of the shards of a rank.
  var grain: GradientGrain { get }

  /// Allocates what it needs, before the first step.  Collective.
  func prepare(_ plan: ExchangePlan) throws(CommunicationError)
  /// Before the gradients of a step, counted from 0 over all of training, are computed.
  func beginStep(_ step: Int) throws(CommunicationError)
  /// The gradients of a bucket are final in all blocks of this rank; starts the exchange.  Buckets come in order.
  func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError)
  /// Completes the exchange and returns the block that holds the gradients to apply, tail included; valid until the next step.
  func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage

  /// The parameters that this rank moves, cut at edges of ``ParameterBlocks``; of other gradients nothing need be right.
  /// Asked after `prepare`.
  var ownedParameters: Range<Int> { get }
  /// How many parameters a rank moves: as many as `ownedParameters` will have.  Asked before `prepare`.
  func ownedParameterCount(_ share: RankShare) -> Int
  /// Makes known to all ranks what each has moved.
  func finishUpdate(_ store: ParameterStore) throws(CommunicationError)
}

/// How the shards of a rank appear to a strategy.
public enum GradientGrain: Sendable {
  /// As sums of the largest subtrees that lie within the rank.
  case subtrees
  /// Each by itself.
  case shards
}

extension GradientStrategy {
  /// Nothing to do.
  public func beginStep(_ step: Int) throws(CommunicationError) {}
  /// All of them.
  public func ownedParameterCount(_ share: RankShare) -> Int { share.layout.parameterCount }
  /// Every rank has moved everything.
  public func finishUpdate(_ store: ParameterStore) throws(CommunicationError) {}
}
