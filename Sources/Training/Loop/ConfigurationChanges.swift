import Configuration

/// Keys in which a run that goes on differs from how it began.
enum ConfigurationChanges {
  /// Dotted keys that have a part in the result and whose values differ, in order.
  static func mattering(_ old: Node, _ new: Node) -> [String] { differences(old, new).filter(matters) }

  private static func differences(_ old: Node, _ new: Node, below prefix: String = "") -> [String] {
    guard let before = old.entries, let after = new.entries else { return old == new ? [] : [prefix] }
    var keys = after.map(\.key)
    keys += before.map(\.key).filter { !keys.contains($0) }
    return keys.flatMap { key -> [String] in
      let path = prefix.isEmpty ? key : "\(prefix).\(key)"
      guard let old = old[key], let new = new[key] else { return [path] }
      return differences(old, new, below: path)
    }
  }

  /// Keys of a federation that only say what is written, and when.
  private static let observing = ["evaluate", "digest", "ledger", "state-memory"].map { "federated.\($0)" }

  private static func matters(_ key: String) -> Bool {
    key != "name" && key != "compute.threads" && key != "training.bucket" && key != "training.overlap"
      && !key.hasPrefix("checkpoint") && key != "faults" && !observing.contains(key)
  }
}
