import Optimizers
import Tensors

/// What a latent makes of a frozen weight.
protocol LatentForward {
  /// effective ← those of all weights; zero for a weight that is pruned.
  static func apply(
    _ latent: UnsafePointer<Float>, _ frozen: UnsafePointer<Float>, into effective: UnsafeMutablePointer<Float>,
    _ count: Int)
}

/// w₀ · sign s, with sign 0 = +1.
enum SignForward: LatentForward {
  @inline(never)
  static func apply(
    _ latent: UnsafePointer<Float>, _ frozen: UnsafePointer<Float>, into effective: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      // 0 − x, so that pruned weights are +0.
      effective[i] = latent[i] >= 0 ? frozen[i] : 0 - frozen[i]
      i &+= 1
    }
  }
}

/// w₀ where s > 0, that is sigmoid s > ½, else 0.
enum GateForward: LatentForward {
  @inline(never)
  static func apply(
    _ latent: UnsafePointer<Float>, _ frozen: UnsafePointer<Float>, into effective: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i < count {
      effective[i] = latent[i] > 0 ? frozen[i] : 0
      i &+= 1
    }
  }
}

/// A step of the task's optimizer on a latent, its gradient that of the effective weight times the frozen one, as if the
/// forward step were the identity (straight-through: Bengio, Léonard, Courville, 2013).
struct LatentStep<Forward: LatentForward>: LocalUpdate {
  private let optimizer: Optimizer
  private let clip: Double?
  private let frozen: UnsafePointer<Float>
  private let latent: UnsafeMutablePointer<Float>

  /// The optimizer forgets what it remembered.
  init(_ trainer: LocalTrainer, frozen: UnsafePointer<Float>, latent: UnsafeMutablePointer<Float>) {
    optimizer = trainer.optimizer
    clip = trainer.task.local.clip
    self.frozen = frozen
    self.latent = latent
    optimizer.reset()
  }

  mutating func update(_ step: LocalStep) {
    step.clip(to: clip)
    let all = 0..<step.count
    LatentStep.multiply(step.gradients, by: frozen, step.count)
    optimizer.measure(parameters: latent, gradients: step.gradients, range: all, step: step.index)
    optimizer.update(
      parameters: latent, gradients: step.gradients, range: all, step: step.index, learningRate: step.learningRate)
    Forward.apply(latent, frozen, into: step.parameters, step.count)
  }

  @inline(never)
  private static func multiply(_ x: UnsafeMutablePointer<Float>, by y: UnsafePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      x[i] *= y[i]
      i &+= 1
    }
  }
}
