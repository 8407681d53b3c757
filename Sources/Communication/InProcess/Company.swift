import Glibc

/// The threads of one run.
struct Company: Sendable {
  /// By rank.
  let threads: [RankThread]
  private let losses = Losses()

  init(ranks: Int, patience: Patience) {
    let losses = losses
    threads = (0..<ranks).map { RankThread(rank: $0, patience: patience, losses: losses) }
  }

  /// A rank ended, with an error or without; those that wait for it hear of it.
  func depart(_ rank: Int, failure: String?) {
    if let failure { losses.record(rank, failure) }
    threads[rank].depart()
    for thread in threads where thread.rank != rank { thread.ring() }
  }
}

/// Which rank of a run failed first, and why.
///
/// `@unchecked Sendable`: `cause` is guarded by the lock.
final class Losses: @unchecked Sendable {
  private var cause: (rank: Int, reason: String)?
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init() { pthread_mutex_init(mutex, nil) }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Keeps the first failure.
  func record(_ rank: Int, _ reason: String) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if cause == nil { cause = (rank, reason) }
  }

  /// The error of a rank whose peer is gone: names the first cause, with its place in the whole run.
  func error(of rank: Int, _ situation: String) -> CommunicationError {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    guard let cause else { return CommunicationError(.peerLost, "rank \(rank) ended while \(situation)") }
    return CommunicationError(.peerLost, "rank \(cause.rank) failed (\(cause.reason)) while \(situation)")
  }
}
