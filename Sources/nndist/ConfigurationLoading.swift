import Configuration
import Glibc
import Training

/// Reads a configuration with what the environment and flags override: flag, then environment, then file, then default.
enum ConfigurationLoading {
  private static let prefix = "NNDIST_"

  /// A file's experiment.
  static func load(_ path: String, _ arguments: Arguments) throws(RunError) -> Experiment {
    do { return try Experiment(try node(path, arguments)) } catch { throw RunError(error) }
  }

  /// A file's configuration, with what overrides it.
  static func node(_ path: String, _ arguments: Arguments) throws(RunError) -> Node {
    let node: Node
    do throws(ConfigurationError) { node = try Node.load(path) } catch { throw RunError(error) }
    return try overridden(node, arguments)
  }

  /// A configuration with the environment's and the flags' values in it.
  static func overridden(_ node: Node, _ arguments: Arguments) throws(RunError) -> Node {
    var node = node
    do {
      for (variable, key, value) in overrides() { node = try node.setting(key, to: value, source: variable) }
    } catch { throw RunError(error) }
    for assignment in arguments.all(.set) {
      let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw RunError(.usage, "--set `\(assignment)` is no assignment; write --set training.batch=64")
      }
      do {
        node = try node.setting(parts[0], to: parts[1], source: "--set \(assignment)")
      } catch { throw RunError(error) }
    }
    return node
  }

  /// Variables with a double underscore between section and key, in the order of their names:
  /// `NNDIST_TRAINING__BATCH=64` is `--set training.batch=64`.
  private static func overrides() -> [(variable: String, key: String, value: String)] {
    Environment.variables(prefix: prefix).filter { $0.name.contains("__") }.map { name, value in
      let words = name.dropFirst(prefix.count).lowercased()
      let sections = words.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
      // An empty word stands where two underscores met.
      var key = ""
      for (index, word) in sections.enumerated() {
        if index > 0 { key += word.isEmpty ? "." : key.hasSuffix(".") ? "" : "-" }
        key += word
      }
      return (name, key, value)
    }
  }
}

/// The variables of this process.
enum Environment {
  /// A variable's value; nil when it is absent or empty.
  static func value(_ name: String) -> String? {
    guard let text = getenv(name), text.pointee != 0 else { return nil }
    return String(cString: text)
  }

  /// Variables whose names begin alike, by name.
  static func variables(prefix: String) -> [(name: String, value: String)] {
    var found: [(name: String, value: String)] = []
    var entry = environ
    while let text = entry.pointee {
      let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, parts[0].hasPrefix(prefix) { found.append((String(parts[0]), String(parts[1]))) }
      entry += 1
    }
    return found.sorted { $0.name < $1.name }
  }
}
