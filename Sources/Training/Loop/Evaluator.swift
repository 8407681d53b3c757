import Communication
import Datasets
import Synchronization
import Tensors

/// Evaluates a model on a set, spread over all workers of all ranks.
///
/// The set is cut into fixed chunks in its own order; each is computed whole by one worker, and the sums are combined in
/// order of chunks, so that the result does not depend on who computed what.
struct Evaluator {
  let name: String
  let source: any DataSource
  let chunks: [Range<Int>]
  private let communicator: any Communicator
  private let batches: [Batch]

  /// Chunks of `size` samples of a set for `threads` workers a rank.
  init(
    _ name: String, _ source: any DataSource, size: Int, threads: Int, _ communicator: any Communicator
  ) {
    self.name = name
    self.source = source
    self.communicator = communicator
    chunks = Sampler.chunks(of: source.count, size: size)
    let largest = chunks.first?.count ?? 0
    batches = (0..<threads).map { _ in Batch(capacity: largest, of: source) }
  }

  /// Sizes that a chunk can have.
  static func sizes(of source: any DataSource, size: Int) -> [Int] {
    Array(Set(Sampler.chunks(of: source.count, size: size).map(\.count)))
  }

  /// Mean loss, and share of correct terms.
  func run(
    _ workers: [Worker], _ team: WorkerTeam, _ store: ParameterStore, version: Int
  ) throws(CommunicationError) -> (loss: Double, accuracy: Double) {
    let results = UnsafeMutableBufferPointer<Double>.allocate(capacity: 2 * chunks.count)
    results.initialize(repeating: 0)
    defer { results.deallocate() }
    let shared = SharedSums(results)
    let parts = communicator.size * workers.count
    team.run { member in
      let part = communicator.rank * workers.count + member
      let batch = batches[member]
      for index in part * chunks.count / parts..<(part + 1) * chunks.count / parts {
        let samples = chunks[index].map(Int32.init)
        batch.fill(from: source, samples: samples[...], epoch: 0)
        let sums = workers[member].evaluate(batch, store, version: version)
        shared.base[2 * index] = sums.loss
        shared.base[2 * index + 1] = sums.correct
      }
    }
    // Every entry is a number on one rank and zero on the others, so the sums are exact.
    if communicator.size > 1 { try communicator.allReduce(results, .sum) }
    var (loss, correct) = (0.0, 0.0)
    for index in chunks.indices {
      loss += results[2 * index]
      correct += results[2 * index + 1]
    }
    let terms = Double(source.count * source.termsPerSample)
    return (loss / terms, correct / terms)
  }

  /// `@unchecked Sendable`: every chunk is written by one thread.
  private struct SharedSums: @unchecked Sendable {
    let base: UnsafeMutablePointer<Double>

    init(_ buffer: UnsafeMutableBufferPointer<Double>) { base = buffer.baseAddress! }
  }
}
