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
  /// Samples of the shard in the present step; without any its weights stay.
  public var samples = 0

  /// A replica whose gradients lie in `gradient`.
  public init(shard: Int, store: ParameterStore, optimizer: Optimizer, gradient: Storage) {
    self.shard = shard
    self.store = store
    self.optimizer = optimizer
    self.gradient = gradient
  }
}
