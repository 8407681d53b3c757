import Configuration
import Foundation
import Training

/// Reads a configuration with what the environment and flags override: flag, then environment, then file, then default.
enum ConfigurationLoading {
  /// The sections whose keys the environment can set: `NNDIST_TRAINING__BATCH=64` is `--set training.batch=64`.
  private static let prefix = "NNDIST_"

  static func load(_ path: String, _ arguments: Arguments) throws(RunError) -> Experiment {
    do {
      var node = try Node.load(path)
      for (variable, key) in overrides() {
        let value = ProcessInfo.processInfo.environment[variable] ?? ""
        node = try node.setting(key, to: value, source: variable)
      }
      for assignment in arguments.all(.set) {
        let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else {
          throw RunError(.usage, "--set `\(assignment)` is no assignment; write --set training.batch=64")
        }
        node = try node.setting(parts[0], to: parts[1], source: "--set \(assignment)")
      }
      return try Experiment(node)
    } catch {
      throw RunError(error)
    }
  }

  /// Variables with a double underscore between section and key, in the order of their names.
  private static func overrides() -> [(variable: String, key: String)] {
    ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix(prefix) && $0.contains("__") }.sorted().map {
      let words = $0.dropFirst(prefix.count).lowercased()
      return ($0, words.replacingOccurrences(of: "__", with: ".").replacingOccurrences(of: "_", with: "-"))
    }
  }
}
