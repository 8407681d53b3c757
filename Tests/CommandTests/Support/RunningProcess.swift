import Foundation

/// A process below one that a test started, as /proc shows it.
struct RunningProcess {
  let identifier: pid_t
  let parent: pid_t
  /// The name of its program.
  let name: String

  /// Whether a process runs; one that has ended and waits for its parent does not.
  static func isAlive(_ identifier: pid_t) -> Bool {
    guard let state = fields(identifier)?.rest.first else { return false }
    return state != "Z" && state != "X"
  }

  /// All processes below one, those that have ended left out; a process comes after its parent.
  static func below(_ root: pid_t) -> [RunningProcess] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let all = names.compactMap { pid_t($0) }.compactMap { identifier -> RunningProcess? in
      guard let (name, rest) = fields(identifier), rest.count > 1, rest[0] != "Z", rest[0] != "X",
        let parent = pid_t(rest[1])
      else { return nil }
      return RunningProcess(identifier: identifier, parent: parent, name: name)
    }
    let children = Dictionary(grouping: all, by: \.parent)
    func tree(_ identifier: pid_t) -> [RunningProcess] {
      (children[identifier] ?? []).flatMap { [$0] + tree($0.identifier) }
    }
    return tree(root)
  }

  /// `PID (NAME) STATE PARENT …`; nil for a process that is gone.
  private static func fields(_ identifier: pid_t) -> (name: String, rest: [Substring])? {
    guard let text = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
      let start = text.firstIndex(of: "("), let end = text.lastIndex(of: ")")
    else { return nil }
    return (
      String(text[text.index(after: start)..<end]), text[text.index(after: end)...].split(separator: " ")
    )
  }
}

extension RunningCommand {
  /// Processes of `nndist launch` or `launch/mpirun`: mpirun and its ranks.
  var job: [RunningProcess] {
    let all = RunningProcess.below(identifier)
    guard let first = all.first(where: { $0.name == "mpirun" }) else { return [] }
    return [first] + RunningProcess.below(first.identifier)
  }

  /// `nndist launch` itself.
  var launcher: pid_t? { RunningProcess.below(identifier).first?.identifier }

  /// Ranks that run.
  var ranks: [pid_t] { job.filter { $0.name == "nndist" }.map(\.identifier) }
}
