import Communication

/// Fills batches ahead of whoever uses them: an actor on a thread of its own, and an outlet.
///
/// The n-th batch that `next` hands out holds the n-th request.  A batch is filled again only after `recycle`; the thread
/// sleeps while no batch is free, the consumer while none is filled.
public final class Prefetcher: Sendable {
  private let batches: [Batch]
  private let graph = ActorGraph<DataError>()
  private let outlet: Outlet<DataError>

  /// Batches of a prefetcher, unless it is told another number.
  public static let depth = 3

  /// Starts the thread.  `capacity` is the largest request; `depth` batches exist, so `depth − 1` can lie ahead of the one
  /// in use.  The request closure runs on the thread; nil ends the sequence.
  public init(
    _ source: any DataSource, capacity: Int, depth: Int = Prefetcher.depth,
    requests: @escaping @Sendable (Int) throws(DataError) -> BatchRequest?
  ) throws(DataError) {
    precondition(depth > 0, "a ring of \(depth) batches")
    let batches = (0..<depth).map { _ in Batch(capacity: capacity, of: source) }
    self.batches = batches
    // A register stands for the batch of its number.
    let filled = graph.makeRegisters(count: depth)
    graph.addActor(on: graph.makeStream(), writing: [filled]) { turn throws(DataError) in
      guard let request = try requests(turn.number) else { return .ended }
      batches[turn.outputRegister()].fill(from: source, samples: request.samples, epoch: request.epoch)
      return .produced
    }
    outlet = graph.makeOutlet(of: filled)
    do throws(CommunicationError) { try graph.start() } catch {
      throw DataError(.unreadable, "reading data ahead: \(error.message)")
    }
  }

  deinit { stop() }

  /// The next batch, filled; nil after the last.  Waits for the thread; throws what stopped it, after the batches before.
  public func next() throws(DataError) -> Batch? {
    guard let taken = try outlet.next() else { return nil }
    return batches[taken.register]
  }

  /// Gives a batch back to be filled again.
  public func recycle(_ batch: Batch) {
    guard let register = batches.firstIndex(where: { $0 === batch }) else {
      preconditionFailure("a batch of another prefetcher")
    }
    outlet.release(register)
  }

  /// Ends the thread and waits for it; batches that were filled and not asked for are dropped.  May be called twice, by
  /// one thread.
  public func stop() { graph.stop() }
}
