import Glibc

/// Fills batches ahead of whoever uses them, on a thread of its own.
///
/// The n-th batch that `next` hands out holds the n-th request.  A batch is filled again only after `recycle`; the thread
/// sleeps while no batch is free, the consumer while none is filled.
///
/// `@unchecked Sendable`: everything that changes is guarded by the mutex of `Shared`.
public final class Prefetcher: @unchecked Sendable {
  /// What the thread and the consumer share; the thread keeps it alive, so that the prefetcher itself can die early.
  private final class Shared: @unchecked Sendable {
    let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    let source: any DataSource
    let request: @Sendable (Int) throws(DataError) -> BatchRequest?
    var free: [Batch]
    var filled: [Batch] = []
    var stopped = false
    var ended = false
    var failure: DataError?
    let depth: Int
    var lent = 0

    init(
      _ source: any DataSource, _ batches: [Batch],
      _ request: @escaping @Sendable (Int) throws(DataError) -> BatchRequest?
    ) {
      self.source = source
      self.request = request
      free = batches
      depth = batches.count
      filled.reserveCapacity(batches.count)
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(changed, nil)
    }

    deinit {
      pthread_cond_destroy(changed)
      pthread_mutex_destroy(mutex)
      changed.deallocate()
      mutex.deallocate()
    }

    func fill() {
      var index = 0
      while true {
        pthread_mutex_lock(mutex)
        while free.isEmpty, !stopped { pthread_cond_wait(changed, mutex) }
        if stopped {
          pthread_mutex_unlock(mutex)
          return
        }
        let batch = free.removeLast()
        pthread_mutex_unlock(mutex)

        var failure: DataError?
        var finished = false
        do throws(DataError) {
          if let request = try request(index) {
            batch.fill(from: source, samples: request.samples, epoch: request.epoch)
          } else {
            finished = true
          }
        } catch {
          failure = error
        }
        index += 1

        pthread_mutex_lock(mutex)
        if finished || failure != nil {
          ended = true
          self.failure = failure
        } else {
          filled.append(batch)
        }
        pthread_cond_broadcast(changed)
        let done = ended
        pthread_mutex_unlock(mutex)
        if done { return }
      }
    }
  }

  private let shared: Shared
  private var thread = pthread_t()
  private var running = false

  /// Batches of a prefetcher, unless it is told another number.
  public static let depth = 3

  /// Starts the thread.  `capacity` is the largest request; `depth` batches exist, so `depth − 1` can lie ahead of the one
  /// in use.  The request closure runs on the thread; nil ends the sequence.
  public init(
    _ source: any DataSource, capacity: Int, depth: Int = Prefetcher.depth,
    requests: @escaping @Sendable (Int) throws(DataError) -> BatchRequest?
  ) throws(DataError) {
    precondition(depth > 0, "a ring of \(depth) batches")
    shared = Shared(source, (0..<depth).map { _ in Batch(capacity: capacity, of: source) }, requests)
    let context = Unmanaged.passRetained(shared)
    let code = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Shared>.fromOpaque(context).takeRetainedValue().fill() }
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw DataError(.unreadable, "cannot start the thread that reads data: \(String(cString: strerror(code)))")
    }
    running = true
  }

  deinit { stop() }

  /// The next batch, filled; nil after the last.  Waits for the thread; throws what stopped it, after the batches before.
  public func next() throws(DataError) -> Batch? {
    pthread_mutex_lock(shared.mutex)
    defer { pthread_mutex_unlock(shared.mutex) }
    precondition(shared.lent < shared.depth, "all \(shared.depth) batches are in use; recycle one before the next")
    while shared.filled.isEmpty, !shared.ended, !shared.stopped { pthread_cond_wait(shared.changed, shared.mutex) }
    if !shared.filled.isEmpty {
      shared.lent += 1
      return shared.filled.removeFirst()
    }
    if let failure = shared.failure { throw failure }
    return nil
  }

  /// Gives a batch back to be filled again.
  public func recycle(_ batch: Batch) {
    pthread_mutex_lock(shared.mutex)
    precondition(shared.lent > 0, "a batch given back twice")
    shared.lent -= 1
    shared.free.append(batch)
    pthread_cond_broadcast(shared.changed)
    pthread_mutex_unlock(shared.mutex)
  }

  /// Ends the thread and waits for it; batches that were filled and not asked for are dropped.  May be called twice, by
  /// one thread.
  public func stop() {
    pthread_mutex_lock(shared.mutex)
    shared.stopped = true
    shared.filled.removeAll()
    pthread_cond_broadcast(shared.changed)
    pthread_mutex_unlock(shared.mutex)
    if running {
      running = false
      pthread_join(thread, nil)
    }
  }
}
