import Glibc
import Synchronization

/// The writes of a rank that are to fail: whoever writes a file of a run asks here first.
///
/// Any thread may ask.
public final class WriteFaults: Sendable {
  private struct Demand {
    let identifier: Int
    let step: Int
    let file: String?
    var remaining: Int
    let code: Int32
  }

  private struct State {
    /// The step under way, from 1; 0 before the first.
    var step = 0
    var demands: [Demand] = []
    var happened: Set<Int> = []
  }

  private let state = Mutex(State())

  /// Nothing fails yet.
  package init() {}

  /// Lets a write of a step fail with an errno: the `ordinal`-th, from 1, of files whose name matches the pattern `file`
  /// (`*.safetensors`), or without one of the files of a checkpoint.
  package func demand(_ identifier: Int, step: Int, file: String?, ordinal: Int, code: Int32) {
    state.withLock {
      $0.demands.append(Demand(identifier: identifier, step: step, file: file, remaining: ordinal, code: code))
    }
  }

  /// Says which step is under way.
  package func begin(step: Int) { state.withLock { $0.step = step } }

  /// The faults that have happened.
  package var happened: Set<Int> { state.withLock { $0.happened } }

  /// Asks before a file is written, or a line of it.  A file of a checkpoint belongs to that checkpoint's step, whenever it is
  /// written; any other to the step under way.  Errors: the failure that was demanded, in the system's words.
  package func check(_ path: String, checkpoint: Int? = nil) throws(SystemFailure) {
    let code = state.withLock { state -> Int32? in
      let step = checkpoint ?? state.step
      var code: Int32?
      for (index, demand) in state.demands.enumerated() where demand.step == step && demand.remaining > 0 {
        guard demand.file.map({ fnmatch($0, Files.name(of: path), 0) == 0 }) ?? (checkpoint != nil) else { continue }
        state.demands[index].remaining -= 1
        if state.demands[index].remaining == 0 {
          state.happened.insert(demand.identifier)
          code = demand.code
        }
      }
      return code
    }
    guard let code else { return }
    errno = code
    throw SystemFailure("write", path)
  }
}
