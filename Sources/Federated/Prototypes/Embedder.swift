import Datasets
import Layers
import Tensors

/// Embeddings of a source's samples, row by row.
public struct Embeddings: Sendable {
  /// Rows.
  public let count: Int
  /// Scalars of a row.
  public let width: Int
  private let scalars: Storage

  init(count: Int, width: Int) {
    self.count = count
    self.width = width
    scalars = Storage(zeros: count * width)
  }

  /// A row; valid as long as the embeddings are.
  public subscript(row: Int) -> UnsafeMutablePointer<Float> {
    precondition(row >= 0 && row < count, "embedding \(row) of \(count)")
    return scalars.base + row * width
  }
}

/// Embeds samples with a frozen encoder: in evaluation mode, with running statistics.
///
/// All runs have the same number of rows, the last of them filled up with whatever was there, so that a sample's embedding is
/// a function of the sample and the weights, whoever computes it and among which others.
public final class Embedder {
  /// Samples of one run.
  public static let chunk = 16

  /// Scalars of an embedding.
  public let width: Int
  private let source: any DataSource
  private let workers: Workers
  private let lanes: [Lane]
  /// Changes with every call, because the weights may have.
  private var version = 0

  /// `@unchecked Sendable`: a lane belongs to one worker while it runs.
  private final class Lane: @unchecked Sendable {
    let executor: Executor
    let batch: Batch

    init(_ plan: Plan, _ source: any DataSource) {
      executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
      batch = Batch(capacity: Embedder.chunk, of: source)
    }
  }

  /// Embeds samples of `source`.
  public init(_ model: Model, of source: any DataSource, _ compute: Compute = Compute(), workers: Workers = .one) {
    let recorder = Recorder(batch: Embedder.chunk, mode: .evaluation, layout: model.layout, compute: compute)
    recorder.result(model.record(model.recordInput(recorder), recorder))
    recorder.fuse()
    let plan = Plan(recorder)
    self.source = source
    self.workers = workers
    width = model.output.shape.count
    lanes = (0..<workers.count).map { _ in Lane(plan, source) }
  }

  /// The embeddings of all samples: row i is sample i's.
  public func embedAll(_ store: ParameterStore) -> Embeddings {
    embed((0..<source.count).map { Int32($0) }, store)
  }

  /// The embeddings of some samples: row i is sample `samples[i]`'s.
  public func embed(_ samples: [Int32], _ store: ParameterStore) -> Embeddings {
    let embeddings = Embeddings(count: samples.count, width: width)
    version += 1
    let (source, lanes, version, workers, width) = (source, lanes, version, workers, width)
    workers.run { worker in
      let lane = lanes[worker]
      let part = workers.part(worker, of: samples.count, grain: Embedder.chunk)
      for first in stride(from: part.lowerBound, to: part.upperBound, by: Embedder.chunk) {
        let rows = first..<min(first + Embedder.chunk, part.upperBound)
        lane.batch.fill(from: source, samples: samples[rows], epoch: 0)
        lane.executor.run(
          Executor.Inputs(
            store: store, version: version, gradients: nil, samples: lane.batch.input, targets: lane.batch.targets,
            sampleKeys: lane.batch.sampleKeys))
        guard let made = lane.executor.result(0).baseAddress else { continue }
        embeddings[first].update(from: made, count: rows.count * width)
      }
    }
    return embeddings
  }
}
