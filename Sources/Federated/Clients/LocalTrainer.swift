import Datasets
import Layers
import Learning
import Optimizers
import Synchronization
import Tensors

/// What a visit's training came to.
public struct LocalOutcome: Sendable, Hashable {
  /// Steps made.
  public var steps = 0
  /// Sum of the losses of all terms of all batches, before each step.
  public var loss = 0.0
  /// Terms in that sum.
  public var terms = 0

  /// Nothing was trained.
  public init() {}
}

/// Trains and evaluates models on one client's samples after another's: one worker's, which its thread alone uses.
///
/// Plans are shared with other workers; model, gradients, activations and batch are this worker's, made once.  A steady visit
/// allocates nothing.
public final class LocalTrainer {
  /// What is trained.
  public let task: FederatedTask
  /// The model of the client that is visited.
  public let model: ParameterStore
  /// The gradients of the last batch, then its statistics.
  public let gradients: Storage
  /// The task's update rule.
  public let optimizer: Optimizer
  /// The client's samples.
  public private(set) var samples: [Int32] = []
  /// What its labels become before it trains on them; nil leaves them.
  public var relabelling: ((Int32) -> Int32)?
  /// What the programs of a strategy read beside samples and parameters.
  public var table: Storage?
  /// Whether training is to end after the present batch, whoever waits for it: what it came to is of no use then.
  let isCancelled = Atomic<Bool>(false)
  private let programs: LocalPrograms
  private var training: [Executor?]
  private var evaluating: [Int: Executor] = [:]
  private var evaluated: Executor?
  private var pools: [Pool] = []
  private let batch: Batch
  private var version = 0

  /// A worker's trainer.
  public init(_ task: FederatedTask, _ programs: LocalPrograms) {
    self.task = task
    self.programs = programs
    model = ParameterStore(task.model.layout)
    gradients = Storage(zeros: task.model.layout.gradientCount)
    optimizer = task.optimizer.make(layout: task.model.layout)
    let largest = task.largestBatch
    training = Array(repeating: nil, count: largest + 1)
    batch = Batch(capacity: largest, of: task.training)
    samples.reserveCapacity(task.partition.largest)
  }

  /// Reads who the client's samples are.
  public func load(_ client: Int) { task.partition.samples(of: client, into: &samples) }

  /// Trains a model on the client's samples, in an order that client, round and pass decide.
  public func train(
    _ model: ParameterStore, _ visit: ClientVisit, epochs: Int, _ update: inout some LocalUpdate
  ) -> LocalOutcome {
    var outcome = LocalOutcome()
    let size = task.local.batchSize(of: samples.count)
    let limit = task.local.steps ?? Int.max
    for pass in 0..<epochs {
      let epoch = UInt64(visit.round * task.local.epochs + pass)
      shuffle(visit.client, epoch)
      var first = 0
      while first < samples.count, outcome.steps < limit, !isCancelled.load(ordering: .relaxed) {
        let count = min(size, samples.count - first)
        outcome.loss += differentiate(model, samples[first..<first + count], visit, epoch, of: count)
        outcome.terms += count * task.training.termsPerSample
        model.followParameters()
        update.update(
          LocalStep(
            model: model, gradients: gradients.base, count: model.parameters.count, learningRate: visit.learningRate,
            index: outcome.steps))
        model.moveStates(gradients)
        outcome.steps += 1
        first += count
      }
    }
    return outcome
  }

  /// `gradients` ← the gradient of the mean loss over `total` samples as far as these have a share in it; the sum of their
  /// losses.
  public func differentiate(
    _ model: ParameterStore, _ samples: ArraySlice<Int32>, _ visit: ClientVisit, _ epoch: UInt64, of total: Int
  ) -> Double {
    batch.fill(from: task.training, samples: samples, epoch: epoch)
    // Two clients may hold the same sample, and drop other units of it.
    let own = RandomStream.mix(UInt64(visit.client))
    for row in 0..<samples.count { batch.sampleKeys[row] ^= own }
    if let relabelling {
      for row in 0..<samples.count * task.training.targetShape.count {
        if batch.targetClasses[row] >= 0 { batch.targetClasses[row] = relabelling(batch.targetClasses[row]) }
      }
    }
    version += 1
    let executor = executor(samples.count)
    var inputs = Executor.Inputs(
      store: model, version: version, gradients: gradients, samples: batch.input, targets: batch.targets,
      sampleKeys: UnsafePointer(batch.sampleKeys))
    inputs.table = table
    inputs.epoch = epoch
    inputs.seed = task.seed
    inputs.targetWeight = Float(1 / (Double(total) * Double(task.training.termsPerSample)))
    inputs.share = Float(Double(samples.count) / Double(total))
    executor.run(inputs)
    return executor.metric(0)
  }

  /// Sums of losses and correct terms over a batch.
  public func evaluate(_ batch: Batch, _ model: ParameterStore) -> Evaluation {
    version += 1
    let executor: Executor
    if let known = evaluating[batch.count] {
      executor = known
    } else {
      executor = make(programs.evaluation.plan(batch.count))
      evaluating[batch.count] = executor
    }
    executor.run(
      Executor.Inputs(
        store: model, version: version, gradients: nil, samples: batch.input, targets: batch.targets,
        sampleKeys: UnsafePointer(batch.sampleKeys)))
    evaluated = executor
    return Evaluation(loss: executor.metric(0), correct: executor.plan.metricCount > 1 ? executor.metric(1) : 0)
  }

  /// What else the program of the last evaluation was recorded to make: `[batch] + …`, valid until the next run.
  public func evaluationResult(_ index: Int) -> UnsafeBufferPointer<Float> {
    guard let evaluated else { preconditionFailure("nothing was evaluated") }
    return evaluated.result(index)
  }

  private func executor(_ count: Int) -> Executor {
    if let known = training[count] { return known }
    let made = make(programs.training.plan(count))
    training[count] = made
    return made
  }

  /// An executor in the largest pool there is, or in a new one where that is too small.
  private func make(_ plan: Plan) -> Executor {
    if let pool = pools.last, pool.bytes >= plan.poolBytes { return Executor(plan, pool: pool) }
    let pool = Pool(bytes: max(plan.poolBytes, pools.isEmpty ? programs.poolBytes(batch.capacity) : 0))
    pools.append(pool)
    return Executor(plan, pool: pool)
  }

  /// A random order of the client's samples (Fisher and Yates), in place.
  private func shuffle(_ client: Int, _ epoch: UInt64) {
    var stream = RandomStream(seed: task.seed, .shuffle, epoch: epoch, sample: UInt64(client))
    samples.withUnsafeMutableBufferPointer { samples in
      var last = samples.count - 1
      while last > 0 {
        samples.swapAt(last, stream.below(last + 1))
        last -= 1
      }
    }
  }
}

/// The programs that clients run, shared by all workers.
public struct LocalPrograms: Sendable {
  /// Gradients of a batch.
  public let training: PlanCache
  /// Losses of a batch.
  public let evaluation: PlanCache

  /// The programs of a task, unless a strategy records its own.
  public init(_ task: FederatedTask, training: PlanCache? = nil, evaluation: PlanCache? = nil) {
    let (learning, compute) = (task.learning, task.compute)
    self.training = training ?? PlanCache { batch in Programs.training(learning, compute, batch: batch) }
    self.evaluation =
      evaluation ?? PlanCache { batch in Programs.inference(learning, reportsLoss: true, compute, batch: batch) }
  }

  /// Memory of the largest batch.
  func poolBytes(_ batch: Int) -> Int { training.plan(batch).poolBytes }
}
