import Glibc

/// What a thread is handed: its rank and what to do.
private final class ThreadTask: Sendable {
  let rank: Int
  let work: @Sendable (Int, CInt) -> Void

  init(_ rank: Int, _ work: @escaping @Sendable (Int, CInt) -> Void) {
    self.rank = rank
    self.work = work
  }
}

/// Runs `work(rank, 0)` on one thread for each rank and returns when all have ended. Ranks are threads and not tasks:
/// they block. Where the system refuses a thread, `work(rank, code)` is called on this one with its error code.
func launchThreads(_ ranks: Int, stackBytes: Int, _ work: @escaping @Sendable (_ rank: Int, _ code: CInt) -> Void) {
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setstacksize(&attributes, stackBytes)
  defer { pthread_attr_destroy(&attributes) }
  var threads: [pthread_t] = []
  for rank in 0..<ranks {
    let task = Unmanaged.passRetained(ThreadTask(rank, work))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument else { return nil }
        let task = Unmanaged<ThreadTask>.fromOpaque(argument).takeRetainedValue()
        task.work(task.rank, 0)
        return nil
      }, task.toOpaque())
    if code == 0 {
      threads.append(thread)
    } else {
      task.release()
      work(rank, code)
    }
  }
  for thread in threads { pthread_join(thread, nil) }
}
