import Communication
import Datasets
import Layers
import Learning
import Tensors

/// A trained model at work: its loss on a set, and what it makes of inputs.
///
/// A set is computed in fixed chunks in its own order and the sums are combined in order of chunks: the same bits as the
/// evaluation in training, whatever the number of threads.
public final class Inference {
  /// What the weights belong to.
  public let prepared: TrainableModel
  /// The weights.
  public let store: ParameterStore

  /// What a set says of a model.
  public struct Result: Sendable {
    /// Mean loss.
    public let loss: Double
    /// Share of right predictions; nil where targets are values.
    public let accuracy: Double?
    /// Samples.
    public let samples: Int
  }

  /// A model with the weights of a file or checkpoint.  Errors: `checkpoint` where they are another model's.
  public init(_ prepared: TrainableModel, weights path: String) throws(RunError) {
    self.prepared = prepared
    store = ParameterStore(prepared.model.layout)
    prepared.model.layout.initialise(store, seed: prepared.seed)
    do throws(CheckpointError) { try Weights.load(path, into: store) } catch { throw RunError(error) }
  }

  /// Loss and accuracy on a set that has samples as those of the experiment.
  public func evaluate(_ source: any DataSource) throws(RunError) -> Result {
    let chunks = Sampler.chunks(of: source.count, size: prepared.evaluationBatch)
    let sums = UnsafeMutableBufferPointer<Double>.allocate(capacity: 2 * chunks.count)
    sums.initialize(repeating: 0)
    defer { sums.deallocate() }
    try run(source, chunks, reportsLoss: true) { executor, index in
      sums[2 * index] = executor.metric(0)
      if executor.plan.metricCount > 1 { sums[2 * index + 1] = executor.metric(1) }
    }
    var (loss, correct) = (0.0, 0.0)
    for index in chunks.indices {
      loss += sums[2 * index]
      correct += sums[2 * index + 1]
    }
    let terms = Double(source.count * source.termsPerSample)
    return Result(
      loss: loss / terms, accuracy: source.classCount == nil ? nil : correct / terms, samples: source.count)
  }

  /// The model's outputs for every sample of a set: `[samples] + output`.
  public func outputs(_ source: any DataSource) throws(RunError) -> [Float] {
    let chunks = Sampler.chunks(of: source.count, size: prepared.evaluationBatch)
    let width = prepared.model.output.shape.count
    var outputs = [Float](repeating: 0, count: source.count * width)
    let failure: RunError? = outputs.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return nil }
      let target = Target(base: base)
      do throws(RunError) {
        try run(source, chunks, reportsLoss: false) { executor, index in
          let result = executor.result(0)
          guard let first = result.baseAddress else { return }
          (target.base + chunks[index].lowerBound * width).update(from: first, count: result.count)
        }
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
    return outputs
  }

  /// `@unchecked Sendable`: every chunk is written by one thread.
  private struct Target: @unchecked Sendable { let base: UnsafeMutablePointer<Float> }

  /// Runs a program over all chunks; `take` reads what it left, on the thread that ran it.
  private func run(
    _ source: any DataSource, _ chunks: [Range<Int>], reportsLoss: Bool, _ take: (Executor, Int) -> Void
  ) throws(RunError) {
    var plans: [Int: Plan] = [:]
    for size in Set(chunks.map(\.count)) {
      plans[size] = Programs.inference(
        prepared.learning, reportsLoss: reportsLoss, prepared.compute, batch: size)
    }
    let bytes = plans.values.map(\.poolBytes).max() ?? 0
    let team: WorkerTeam
    do throws(CommunicationError) { team = try WorkerTeam(count: min(prepared.threads, max(1, chunks.count))) } catch {
      throw RunError(error)
    }
    defer { team.end() }
    team.run { member in
      let pool = Pool(bytes: bytes)
      let batch = Batch(capacity: chunks.first?.count ?? 0, of: source)
      var executors: [Int: Executor] = [:]
      for index in member * chunks.count / team.count..<(member + 1) * chunks.count / team.count {
        let samples = chunks[index].map(Int32.init)
        guard let plan = plans[samples.count] else { continue }
        batch.fill(from: source, samples: samples[...], epoch: 0)
        let executor = executors[samples.count] ?? Executor(plan, pool: pool)
        executors[samples.count] = executor
        executor.run(
          Executor.Inputs(
            store: store, version: 1, gradients: nil, samples: batch.input, targets: batch.targets,
            sampleKeys: batch.sampleKeys))
        take(executor, index)
      }
    }
  }
}
