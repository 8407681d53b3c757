import Optimizers
import Tensors

/// The model of one worker: a logical shard that moves weights of its own.
public final class Replica {
  /// The shard.
  public let shard: Int
  /// Its weights and states.
  public let store: ParameterStore
  /// What moves its weights.
  public let optimizer: Optimizer
  /// The gradient of the present step: the mean over this shard's samples, statistics behind it.
  public let gradient: Storage
  /// Samples of the present step that the gradient is a mean over, at first the shard's own; without any the weights stay.
  public var samples = 0
  /// The shard's part of all samples of the present step.
  public var share: Float = 0

  /// A replica whose gradients lie in `gradient`.
  public init(shard: Int, store: ParameterStore, optimizer: Optimizer, gradient: Storage) {
    self.shard = shard
    self.store = store
    self.optimizer = optimizer
    self.gradient = gradient
  }

  /// States that move.
  public var stateCount: Int { store.layout.movingStateCount }

  /// Writes weights, then states that move.
  public func write(to message: UnsafeMutablePointer<Float>) {
    message.update(from: store.parameters.base, count: store.parameters.count)
    (message + store.parameters.count).update(from: store.states.base, count: stateCount)
  }

  /// Hands weights, then states that move, to `body`, each with the number of scalars before it in a message.
  public func forEachBlock(_ body: (_ block: UnsafeMutablePointer<Float>, _ count: Int, _ offset: Int) -> Void) {
    body(store.parameters.base, store.parameters.count, 0)
    body(store.states.base, stateCount, store.parameters.count)
  }
}
