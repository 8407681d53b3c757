import Glibc

/// The threads of one rank.  The calling thread is member 0; the others wait for work without using the processor.
///
/// `@unchecked Sendable`: what changes is guarded by the mutex.
public final class WorkerTeam: @unchecked Sendable {
  /// Threads, the caller included.
  public let count: Int
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  /// There is work, or the end.
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  /// The last of a round is done; only the caller waits for it, so that no member wakes the others.
  private let finished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var threads: [pthread_t] = []
  private var work: ((Int) -> Void)?
  private var round = 0
  private var busy = 0
  private var isEnding = false

  /// A team of `count` threads, of which `count − 1` are started.
  public init(count: Int) throws(CommunicationError) {
    self.count = count
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
    pthread_cond_init(finished, nil)
    for member in 1..<max(1, count) {
      let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
      pthread_attr_init(attributes)
      pthread_attr_setstacksize(attributes, 64 << 20)
      defer {
        pthread_attr_destroy(attributes)
        attributes.deallocate()
      }
      let context = Unmanaged.passRetained(Member(team: self, index: member))
      var thread: pthread_t = 0
      let code = pthread_create(
        &thread, attributes,
        { context in
          if let context {
            let member = Unmanaged<Member>.fromOpaque(context).takeRetainedValue()
            member.team.serve(member.index)
          }
          return nil
        }, context.toOpaque())
      guard code == 0 else {
        context.release()
        let reason = String(cString: strerror(code))
        throw CommunicationError(.library(Int(code)), "cannot start thread \(member): \(reason)")
      }
      threads.append(thread)
    }
  }

  private final class Member {
    unowned let team: WorkerTeam
    let index: Int

    init(team: WorkerTeam, index: Int) {
      self.team = team
      self.index = index
    }
  }

  /// Runs `body` once for every member, on its thread, and returns when all are done.
  public func run(_ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { runStored($0) }
  }

  /// The same for a closure that its owner keeps, so that nothing is allocated.
  public func runStored(_ body: @escaping (Int) -> Void) {
    guard count > 1 else { return body(0) }
    pthread_mutex_lock(mutex)
    work = body
    round += 1
    busy = count - 1
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
    body(0)
    pthread_mutex_lock(mutex)
    while busy > 0 { pthread_cond_wait(finished, mutex) }
    work = nil
    pthread_mutex_unlock(mutex)
  }

  /// Scalars below which waking a thread costs more than it saves.
  private static let smallest = 1 << 15

  /// Consecutive ranges of `count` scalars for the members: one for the caller alone where they are few.
  public func parts(of count: Int) -> [Range<Int>] {
    let number = max(1, min(self.count, count / WorkerTeam.smallest))
    return (0..<number).map { ($0 * count / number)..<(($0 + 1) * count / number) }
  }

  private func serve(_ index: Int) {
    var seen = 0
    while true {
      pthread_mutex_lock(mutex)
      while round == seen, !isEnding { pthread_cond_wait(changed, mutex) }
      seen = round
      // Let go before the round ends: the caller's closure must not outlive it.
      var body = work
      let ends = isEnding
      pthread_mutex_unlock(mutex)
      if ends { return }
      body?(index)
      body = nil
      pthread_mutex_lock(mutex)
      busy -= 1
      if busy == 0 { pthread_cond_signal(finished) }
      pthread_mutex_unlock(mutex)
    }
  }

  /// Ends the threads; the team must not be used afterwards.
  public func end() {
    pthread_mutex_lock(mutex)
    isEnding = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }

  deinit {
    precondition(threads.isEmpty, "a team that was not ended")
    pthread_cond_destroy(changed)
    pthread_cond_destroy(finished)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    finished.deallocate()
    mutex.deallocate()
  }
}
