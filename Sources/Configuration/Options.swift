/// Reads one map of a configuration: each key is asked for once, with its type, range, unit, default and meaning.
///
/// One reader serves three ends: the typed values, the resolved configuration (``resolved``) and the documentation
/// (``document(choosing:path:_:)``).  A key whose value is null counts as absent.  Used as `inout Options`.
public struct Options {
  let node: Node
  let path: String
  /// Set in documenting mode: the names to pick for `named` keys, by dotted key.
  let documented: [String: String]?
  private(set) var known: [String] = []
  var taken: [Node.Entry] = []
  var descriptions: [KeyDescription] = []

  /// Reads a map; `path` is its dotted key for messages, empty for the whole file.  Null is a map without keys; anything
  /// else that is no map is an error of the first key asked for, or of ``finish()``.
  public init(_ node: Node, path: String = "") {
    self.init(node, path: path, documented: nil)
  }

  init(_ node: Node, path: String, documented: [String: String]?) {
    self.node = node
    self.path = path
    self.documented = documented
  }

  /// Where the map stands.
  public var place: Place { node.place }

  /// The dotted key of the map, empty for the whole file.
  public var keyPath: String { path }

  /// Whether the reader runs for documentation, with stand-ins for values: checks between keys mean nothing then.
  public var isDocumenting: Bool { documented != nil }

  /// Whether the key is there with a value.  Does not count as asking for it.
  public func has(_ key: String) -> Bool {
    node[key].map { !$0.isNull } ?? false
  }

  /// Whether the value of a key is a number, for keys that take a number or a name.  Does not count as asking for it.
  public func isNumber(_ key: String) -> Bool { node[key]?.number != nil }

  /// The raw value of a key, nil when absent; null where it says so.  ``resolve(_:as:)`` replaces it in ``resolved``.
  public mutating func node(_ key: String, _ help: String) -> Node? {
    declare(key, type: "value", default: nil, isRequired: false, help)
    guard let value = node[key] else { return nil }
    resolve(key, as: value)
    return value
  }

  /// Sets what ``resolved`` says of a key, for readers that work on raw nodes.
  public mutating func resolve(_ key: String, as value: Node) {
    let entry = Node.Entry(key: key, place: node.entries?.first { $0.key == key }?.place ?? place, value: value)
    if let index = taken.firstIndex(where: { $0.key == key }) {
      taken[index] = entry
    } else {
      taken.append(entry)
    }
  }

  /// Every key taken, in the order of asking, with defaults filled in; reading it again gives the same values.
  public var resolved: Node { Node(.map(taken), at: place) }

  /// Refuses keys that nobody asked for: names the first, its line and the nearest key.
  public func finish() throws(ConfigurationError) {
    let entries = try entries()
    guard let unknown = entries.first(where: { !known.contains($0.key) }) else { return }
    let within = path.isEmpty ? "" : " in \(path)"
    let remedy =
      if let meant = nearest(unknown.key, among: known) {
        "did you mean `\(meant)`?"
      } else if known.isEmpty {
        "there are none here"
      } else {
        "known keys are \(known.joined(separator: ", "))"
      }
    throw ConfigurationError("unknown key `\(unknown.key.shortened())`\(within); \(remedy)", at: unknown.place)
  }

  /// An error at a key's value, or at the map where the key is absent or none is named.  The message stands as it is.
  public func error(_ message: String, key: String? = nil) -> ConfigurationError {
    let place = key.flatMap { node[$0]?.place } ?? place
    return ConfigurationError(message, at: place)
  }

  /// Throws an error at a key unless a condition between keys holds.  Checks nothing while documenting.
  public func require(
    _ condition: Bool, key: String? = nil, _ message: @autoclosure () -> String
  ) throws(ConfigurationError) {
    if !condition, !isDocumenting { throw error(message(), key: key) }
  }
}

// MARK: - What all readers share

extension Options {
  func dotted(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  func entries() throws(ConfigurationError) -> [Node.Entry] {
    if node.isNull { return [] }
    guard let entries = node.entries else {
      let name = path.isEmpty ? "the configuration" : path
      throw ConfigurationError("\(name) is \(node.found); expected keys and values", at: place)
    }
    return entries
  }

  /// The value of a key; nil when it is absent or null.
  func value(_ key: String) throws(ConfigurationError) -> Node? {
    let value = try entries().first { $0.key == key }?.value
    return value?.isNull == true ? nil : value
  }

  mutating func declare(
    _ key: String, type: String, range: String = "", unit: String = "", default value: Node?, isRequired: Bool,
    choices: [String] = [], _ help: String
  ) {
    if known.contains(key) { return }
    known.append(key)
    descriptions.append(
      KeyDescription(
        key: dotted(key), type: type, range: range, unit: unit, defaultValue: value?.yamlOnOneLine(),
        isRequired: isRequired, help: help, choices: choices))
  }

  /// `training.batch is -3; expected a whole number of at least 1 (samples)`; for a missing key also the unread key that
  /// looks like it.
  func mismatch(_ key: String, _ value: Node?, _ expected: String, unit: String = "") -> ConfigurationError {
    let unit = unit.isEmpty ? "" : " (\(unit))"
    if let value {
      return ConfigurationError("\(dotted(key)) is \(value.found); expected \(expected)\(unit)", at: value.place)
    }
    let message = "\(dotted(key)) is missing; expected \(expected)\(unit)"
    let misspelt = node.entries?.first { !known.contains($0.key) && nearest($0.key, among: [key]) != nil }
    guard let misspelt else { return ConfigurationError(message, at: place) }
    return ConfigurationError("\(message); is `\(misspelt.key)` meant for it?", at: misspelt.place)
  }
}
