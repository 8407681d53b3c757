import Datasets
import Layers
import Learning
import Tensors

/// Compares gradients with finite differences of the loss, tensor by tensor, along a few directions each.
///
/// Along a direction d the derivative is ⟨g, d⟩, and (L(w + hd) − L(w − hd)) / 2h up to h² and the rounding of L.  The
/// directions are two complementary halves of the gradient itself, where the signal is largest and every entry counts, and
/// one of random signs, which sees entries that are wrongly zero.
///
/// Losses are summed in Float64 over a forward pass in Float32; what rounding moves them by is measured once, and a difference
/// below that counts as none; the smallest h are taken only where it is little beside the derivative.  Of several h the one that agrees best counts, because kinks (relu, max-pooling) and curvature
/// spoil large steps and rounding small ones.  Errors are relative to the derivative, those of random signs to the norm of g:
/// kinks move the loss alike in all directions, and along random ones its derivative is small.
public struct GradientCheck {
  /// How a tensor's gradient compares.
  public struct Finding: Sendable {
    /// The parameter.
    public let name: String
    /// Its shape.
    public let shape: Shape
    /// Euclidean norm of its gradient.
    public let norm: Double
    /// Largest relative difference of a directional derivative, beyond rounding.
    public let error: Double
  }

  /// Relative difference up to which a gradient counts as right.  Kinks of deep networks leave a few percent (6 measured for
  /// ResNet-56 at 8 samples); a wrong formula is usually off by tens.
  public static let tolerance = 0.1

  private let layout: ParameterLayout
  private let store: ParameterStore
  private let gradients: Storage
  private let loss: () -> Double
  private let seed: UInt64

  /// A check of `gradients` of `loss`, which is evaluated at what `store` holds.
  public init(store: ParameterStore, gradients: Storage, seed: UInt64, loss: @escaping () -> Double) {
    layout = store.layout
    self.store = store
    self.gradients = gradients
    self.loss = loss
    self.seed = seed
  }

  /// Compares every tensor; the parameters are afterwards what they were.
  public func run(each: (Finding) -> Void = { _ in }) -> [Finding] {
    let resting = loss()
    let rounding = rounding(resting)
    return layout.parameters.enumerated().map { index, parameter in
      let finding = check(parameter, index, resting, rounding)
      each(finding)
      return finding
    }
  }

  /// What rounding moves the loss by: second differences along a random direction, at steps so small that curvature is
  /// nothing, are rounding alone.
  private func rounding(_ resting: Double) -> Double {
    let weights = store.parameters.scalars
    let original = Array(weights)
    var random = RandomStream(seed: seed, .split, layer: 999)
    let direction = original.map { $0 * (random.uniform() - 0.5) }
    func moved(_ step: Float) -> Double {
      for i in weights.indices { weights[i] = original[i] + step * direction[i] }
      return loss()
    }
    let steps: [Float] = [2e-6, 3e-6, 5e-6, 7e-6, 1e-5, 1.5e-5]
    var sum = 0.0
    for step in steps {
      let second = moved(step) - 2 * resting + moved(-step)
      // Three independent roundings, one of them twice: six times the variance of one.
      sum += second * second / 6
    }
    for i in weights.indices { weights[i] = original[i] }
    return max((sum / Double(steps.count)).squareRoot(), 0x1p-24 * max(abs(resting), 1e-3))
  }

  private func check(_ parameter: Parameter, _ index: Int, _ resting: Double, _ rounding: Double) -> Finding {
    let count = parameter.range.count
    let gradient = gradients.base + parameter.range.lowerBound
    let weights = store.parameters.base + parameter.range.lowerBound
    let original = Array(UnsafeBufferPointer(start: weights, count: count))
    func norm(_ scalars: UnsafePointer<Float>) -> Double {
      (0..<count).reduce(0) { $0 + Double(scalars[$1]) * Double(scalars[$1]) }.squareRoot()
    }
    let size = norm(gradient)
    guard size.isFinite, resting.isFinite else {
      return Finding(name: parameter.name, shape: parameter.shape, norm: size, error: .infinity)
    }
    // A tensor that starts at zero has a scale all the same: that of the steps it will take.
    let scale = max(norm(weights), 0.05 * Double(count).squareRoot())
    var random = RandomStream(seed: seed, .split, layer: UInt64(index) + 1000)
    let isFirst = (0..<count).map { _ in random.uniform() < 0.5 }
    let signs = (0..<count).map { _ -> Float in random.uniform() < 0.5 ? -1 : 1 }
    var worst = 0.0
    for kind in 0..<3 {
      var direction = (0..<count).map { i -> Float in
        switch kind {
        case 0: isFirst[i] ? gradient[i] : 0
        case 1: isFirst[i] ? 0 : gradient[i]
        default: signs[i]
        }
      }
      let length = direction.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      // Divided rather than multiplied by the inverse, which tiny gradients would make infinite.
      if length == 0 { continue }
      for i in 0..<count { direction[i] = Float(Double(direction[i]) / length) }
      let analytic = (0..<count).reduce(0.0) { $0 + Double(gradient[$1]) * Double(direction[$1]) }
      var best = Double.infinity
      for step in [1e-3, 3e-4, 3e-3, 1e-4, 1e-2, 3e-5, 1e-5, 3e-6, 1e-6] where best > GradientCheck.tolerance / 10 {
        let h = step * scale
        // Steps that many kinks ask for must not be lost in rounding, which would excuse everything.
        if step < 1e-4, 3 * rounding / h > abs(analytic) * GradientCheck.tolerance / 2 { continue }
        func moved(_ sign: Double) -> Double {
          for i in 0..<count { weights[i] = original[i] + Float(sign * h * Double(direction[i])) }
          return loss()
        }
        let difference = (moved(1) - moved(-1)) / (2 * h)
        let excess = max(0, abs(difference - analytic) - 3 * rounding / h)
        let unit = max(abs(difference), abs(analytic), kind == 2 ? size : 0, .leastNormalMagnitude)
        best = min(best, excess.isNaN ? .infinity : excess / unit)
      }
      for i in 0..<count { weights[i] = original[i] }
      worst = max(worst, best)
    }
    return Finding(name: parameter.name, shape: parameter.shape, norm: size, error: worst)
  }
}

extension GradientCheck {
  /// A check of a model at its initial weights, on the first samples of its training part.
  ///
  /// Dropout and batch normalisation are as in training: the same keys drop the same units in every evaluation.
  public init(_ prepared: TrainableModel, samples: Int) throws(RunError) {
    let source = prepared.dataset.training
    let count = min(samples, source.count)
    // The layers are checked, whatever the rule that trains them.
    let model = prepared.plain
    let layout = model.layout
    let seed = prepared.seed
    let store = ParameterStore(layout)
    layout.initialise(store, seed: seed)
    let known = Set(prepared.model.layout.parameters.map(\.name))
    // Weights of a rule that leaves layers out are not those of all layers.
    if let weights = prepared.weights, layout.parameters.allSatisfy({ known.contains($0.name) }) {
      do throws(CheckpointError) { try Weights.load(weights, into: store) } catch { throw RunError(error) }
    }
    let batch = Batch(capacity: count, of: source)
    let order = Sampler(count: source.count, batch: count, seed: seed).order(epoch: 0)
    batch.fill(from: source, samples: order[..<count], epoch: 0)

    // Differences of what is rounded to bfloat16 would show its steps.
    var compute = prepared.compute
    compute.precision = .float32
    let backward = Programs.training(
      Backpropagation().prepare(model, prepared.objective), compute, batch: count)
    let forwardRecorder = Recorder(batch: count, mode: .training, layout: layout, compute: compute)
    let outputs = model.record(model.recordInput(forwardRecorder), forwardRecorder)
    _ = prepared.objective.record(outputs, forwardRecorder)
    forwardRecorder.fuse()
    let forward = Plan(forwardRecorder)

    let terms = Double(count * source.termsPerSample)
    let version = Counter()
    func inputs(_ gradients: Storage) -> Executor.Inputs {
      var inputs = Executor.Inputs(
        store: store, version: version.next(), gradients: gradients, samples: batch.input, targets: batch.targets,
        sampleKeys: batch.sampleKeys)
      inputs.seed = seed
      inputs.targetWeight = Float(1 / terms)
      return inputs
    }
    let gradients = Storage(zeros: layout.gradientCount)
    Executor(backward, pool: Pool(bytes: backward.poolBytes)).run(inputs(gradients))
    let scratch = Storage(zeros: layout.gradientCount)
    let executor = Executor(forward, pool: Pool(bytes: forward.poolBytes))
    self.init(store: store, gradients: gradients, seed: seed) {
      executor.run(inputs(scratch))
      return withExtendedLifetime(batch) { executor.metric(0) / terms }
    }
  }

  /// Counts versions of the weights: packed copies are renewed for each.
  private final class Counter {
    private var count = 0

    func next() -> Int {
      count += 1
      return count
    }
  }
}
