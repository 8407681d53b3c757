import Glibc
import Training

/// `launch.jsonl` of a run: a JSON object for each attempt.
///
/// Lines wait until rank 0 has made the directory a run: it takes no folder that holds anything else.
struct LaunchLog {
  private let run: String
  private var waiting = ""

  /// The log of a run directory.
  init(run: String) { self.run = run }

  /// Appends an attempt.  A log that cannot be written stops nothing.
  mutating func append(_ object: JSONObject, hasBegun: Bool) {
    waiting += object.text + "\n"
    guard hasBegun else { return }
    let path = "\(run)/launch.jsonl"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { return }
    Output.pass(Array(waiting.utf8)[...], to: descriptor)
    close(descriptor)
    waiting = ""
  }
}
