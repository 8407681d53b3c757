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
    var total = Evaluation()
    for sum in try evaluate(source, pieces: chunks.count, { chunks[$0].map(Int32.init)[...] }) { total.add(sum) }
    let terms = Double(source.count * source.termsPerSample)
    return (total.loss / terms, total.correct / terms)
  }

  /// Sums over each piece of a set by the broadcast model, pieces spread over all threads of all ranks.
  func evaluate(
    _ source: any DataSource, pieces count: Int, _ piece: (Int) -> ArraySlice<Int32>
  ) throws -> [Evaluation] {
    let parts = communicator.size * team.count
    return try gather(count) { sums in
      team.run { member in
        var index = communicator.rank * team.count + member
        while index < count {
          sums[index] = workers[member].evaluate(source, piece(index), broadcast.model)
          index += parts
        }
      }
    }
  }

  /// What the ranks have written to places, each place by one of them, on all of them.
  func gather(
    _ count: Int, _ fill: (UnsafeMutableBufferPointer<Evaluation>) throws -> Void
  ) throws -> [Evaluation] {
    let sums = UnsafeMutableBufferPointer<Evaluation>.allocate(capacity: count)
    sums.initialize(repeating: Evaluation())
    defer { sums.deallocate() }
    try fill(sums)
    if communicator.size > 1 {
      // Every entry is a number on one rank and zero on the others, so the sums are exact.
      try UnsafeMutableRawBufferPointer(sums).withMemoryRebound(to: Double.self) { (numbers) throws in
        try communicator.allReduce(numbers, .sum)
      }
    }
    return Array(sums)
  }
}
