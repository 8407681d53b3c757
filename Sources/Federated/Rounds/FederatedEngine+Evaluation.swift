import Communication
import Datasets
import Layers
import Tensors

extension FederatedEngine {
  /// Mean loss, and share of correct terms, of the broadcast model over a set.  Collective.
  ///
  /// The set is cut into fixed chunks, each computed whole by one worker, and sums are combined in order of chunks, so that
  /// the result does not depend on who computed what.
  public func evaluate(_ source: any DataSource, chunk: Int) throws -> (loss: Double, accuracy: Double) {
    let chunks = Sampler.chunks(of: source.count, size: chunk)
    let sums = UnsafeMutableBufferPointer<Double>.allocate(capacity: 2 * chunks.count)
    sums.initialize(repeating: 0)
    defer { sums.deallocate() }
    let parts = communicator.size * team.count
    team.run { member in
      var index = communicator.rank * team.count + member
      while index < chunks.count {
        let samples = chunks[index].map(Int32.init)
        let result = workers[member].evaluate(source, samples[...], broadcast.model)
        sums[2 * index] = result.loss
        sums[2 * index + 1] = result.correct
        index += parts
      }
    }
    // Every entry is a number on one rank and zero on the others, so the sums are exact.
    if communicator.size > 1 { try communicator.allReduce(sums, .sum) }
    var total = Evaluation()
    for index in chunks.indices {
      total.loss += sums[2 * index]
      total.correct += sums[2 * index + 1]
    }
    let terms = Double(source.count * task.objective.termsPerSample)
    return (total.loss / terms, total.correct / terms)
  }
}
