import CProcessor
import Foundation

/// What this host offers to ranks.
enum Host {
  /// Cores that this process may use: its affinity, or less where a control group limits it.
  static var usableCores: Int {
    let allowed = Int(nndist_allowed_cores())
    var count = allowed > 0 ? allowed : sysconf(Int32(_SC_NPROCESSORS_ONLN))
    if let words = text(of: "/sys/fs/cgroup/cpu.max")?.split(whereSeparator: \.isWhitespace), words.count == 2,
      let quota = Int(words[0]), let period = Int(words[1]), period > 0
    {
      count = min(count, max(1, (quota + period - 1) / period))
    }
    return count
  }

  /// Cores of the machine, each counted once however many hardware threads it has; 0 where the kernel does not say.
  static var physicalCores: Int {
    let folder = "/sys/devices/system/cpu"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return Set(names.compactMap { text(of: "\(folder)/\($0)/topology/thread_siblings_list") }).count
  }

  /// Whether one process may read another's memory, by which Open MPI copies large messages: refused by some kernels and
  /// many containers.
  static var mayReadProcesses: Bool {
    let scope = text(of: "/proc/sys/kernel/yama/ptrace_scope").flatMap {
      Int($0.trimmingCharacters(in: .whitespacesAndNewlines))
    }
    return (geteuid() == 0 || (scope ?? 0) < 2) && nndist_may_read_processes() != 0
  }

  /// Where a program of the PATH lies; nil when it is not there.
  static func path(of program: String) -> String? {
    (Environment.value("PATH") ?? "").split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
  }

  /// This program's own file, as it was found first: a build may put another one in its place.
  static let ownProgram: String =
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]

  private static func text(of path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
