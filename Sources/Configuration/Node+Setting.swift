extension Node {
  /// The configuration with one value replaced or added, as `--set a.b=value` and the environment do.
  ///
  /// `path` is dotted; a number addresses a list's value (`model.layers.0`).  Maps are created where there are none, and a
  /// scalar on the way becomes the name of one: `strategy: diloco` with `strategy.period` is
  /// `{name: diloco, period: …}`.  `yaml` is the value as YAML, empty for null.  `source` is the place of what is new.
  public func setting(_ path: String, to yaml: String, source: String) throws(ConfigurationError) -> Node {
    let place = Place(file: source)
    let keys = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard keys.allSatisfy({ !$0.isEmpty && $0.utf8.count <= Limits.key }) else {
      throw ConfigurationError("`\(path.shortened())` is not a key; expected one such as training.batch", at: place)
    }
    let value: Node
    do throws(ConfigurationError) {
      value = try Node.parseIfAny(Array(yaml.utf8), file: source)?.placedThroughout(at: place) ?? Node(.null, at: place)
    } catch {
      throw ConfigurationError("\(path) cannot be `\(yaml.shortened())`: \(error.message)", at: place)
    }
    guard keys.count + value.depth <= Limits.depth else {
      throw ConfigurationError("\(path.shortened()) nests deeper than \(Limits.depth) levels", at: place)
    }
    return try setting(keys[...], to: value, path: "", place: place)
  }

  private func setting(
    _ keys: ArraySlice<String>, to value: Node, path: String, place: Place
  ) throws(ConfigurationError) -> Node {
    guard let key = keys.first else { return value }
    let inner = path.isEmpty ? key : "\(path).\(key)"
    var entries: [Entry]
    switch content {
    case .null: entries = []
    case .map(let present): entries = present
    case .scalar:
      guard !path.isEmpty else {
        throw ConfigurationError("the file is \(found); expected keys and values", at: self.place)
      }
      entries = [Entry(key: "name", value: self)]
    case .list(var items):
      guard let index = Int(key), items.indices.contains(index) else {
        let name = path.isEmpty ? "the file" : path
        let choices = items.isEmpty ? "which is empty" : "whose values are 0 to \(items.count - 1)"
        throw ConfigurationError("`\(inner)` addresses no value: \(name) is a list, \(choices)", at: place)
      }
      items[index] = try items[index].setting(keys.dropFirst(), to: value, path: inner, place: place)
      return Node(.list(items), at: self.place)
    }
    if let index = entries.firstIndex(where: { $0.key == key }) {
      let changed = try entries[index].value.setting(keys.dropFirst(), to: value, path: inner, place: place)
      entries[index] = Entry(key: key, place: keys.count == 1 ? place : entries[index].place, value: changed)
    } else {
      let new = try Node(.null, at: place).setting(keys.dropFirst(), to: value, path: inner, place: place)
      entries.append(Entry(key: key, place: place, value: new))
    }
    return Node(.map(entries), at: isNull ? place : self.place)
  }

  /// The same value with every place replaced: what a flag holds has no lines.
  func placedThroughout(at place: Place) -> Node {
    switch content {
    case .null, .scalar: placed(at: place)
    case .list(let items): Node(.list(items.map { $0.placedThroughout(at: place) }), at: place)
    case .map(let entries):
      Node(
        .map(entries.map { Entry(key: $0.key, place: place, value: $0.value.placedThroughout(at: place)) }), at: place)
    }
  }
}
