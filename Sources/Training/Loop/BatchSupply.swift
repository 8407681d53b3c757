import Datasets

/// Where a worker's batches come from, in the order in which it computes them.
protocol BatchSupply: AnyObject {
  /// The next batch; nil when there are no more.
  func next() throws(DataError) -> Batch?
  /// Takes a batch back that is not needed any longer.
  func recycle(_ batch: Batch)
  /// Ends it; nothing is asked of it afterwards.
  func stop()
}

extension Prefetcher: BatchSupply {}
