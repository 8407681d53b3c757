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

    func embed(
      _ samples: ArraySlice<Int32>, of source: any DataSource, _ store: ParameterStore, _ version: Int,
      _ body: (_ place: Int, _ label: Int, _ embedding: UnsafePointer<Float>) -> Void
    ) {
      for first in stride(from: samples.startIndex, to: samples.endIndex, by: Embedder.chunk) {
        let places = first..<min(first + Embedder.chunk, samples.endIndex)
        batch.fill(from: source, samples: samples[places], epoch: 0)
        let made = run(store, version)
        let width = executor.result(0).count / Embedder.chunk
        for place in places {
          body(place, Int(batch.targetClasses[place - first]), made + (place - first) * width)
        }
      }
    }

    /// The embeddings of what the batch holds.
    func run(_ store: ParameterStore, _ version: Int) -> UnsafePointer<Float> {
      executor.run(
        Executor.Inputs(
          store: store, version: version, gradients: nil, samples: batch.input, targets: batch.targets,
          sampleKeys: batch.sampleKeys))
      // Never nil: a chunk has rows.
      return executor.result(0).baseAddress.unsafelyUnwrapped
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
      let part = workers.part(worker, of: samples.count, grain: Embedder.chunk)
      lanes[worker].embed(samples[part], of: source, store, version) { row, _, embedding in
        embeddings[row].update(from: embedding, count: width)
      }
    }
    return embeddings
  }

  /// Calls `body` with the place of each sample, its class and its embedding, which is valid until `body` returns; in order,
  /// on the calling thread, and without allocating.
  func forEach(
    _ samples: ArraySlice<Int32>, _ store: ParameterStore,
    _ body: (_ place: Int, _ label: Int, _ embedding: UnsafePointer<Float>) -> Void
  ) {
    version += 1
    lanes[0].embed(samples, of: source, store, version, body)
  }

  /// The embeddings of a batch's samples, by the calling thread.
  func embed(_ batch: Batch, _ store: ParameterStore) -> Embeddings {
    let embeddings = Embeddings(count: batch.count, width: width)
    version += 1
    let (lane, bytes) = (lanes[0], 4 * batch.inputShape.count)
    for first in stride(from: 0, to: batch.count, by: Embedder.chunk) {
      let count = min(Embedder.chunk, batch.count - first)
      lane.batch.input.copyMemory(from: batch.input + first * bytes, byteCount: count * bytes)
      embeddings[first].update(from: lane.run(store, version), count: count * width)
    }
    return embeddings
  }
}
