import Glibc

/// Calls of `malloc` and its kin in this process, where something counts them: `launch/count-allocations` starts a program
/// with a library that does.
enum AllocationCounter {
  /// Allocations so far.
  struct Count {
    /// By this program.
    var own = 0
    /// By oneDNN, OpenMP's and MPI's libraries for themselves.
    var libraries = 0
  }

  private typealias Counter = @convention(c) (Int32) -> Int

  private static let counter: Counter? = dlsym(nil, "nndist_allocations").map { unsafeBitCast($0, to: Counter.self) }

  /// What was counted until now; nil where nobody counts.
  static var now: Count? { counter.map { Count(own: $0(0), libraries: $0(1)) } }
}
