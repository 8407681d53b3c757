extension Options {
  /// Reads a nested map; absent is an empty one.  Keys in it that nobody asked for are errors once the closure returns.
  public mutating func section<T>(
    _ key: String, _ help: String, _ read: (inout Options) throws(ConfigurationError) -> T
  ) throws(ConfigurationError) -> T {
    declare(key, type: "section", default: nil, isRequired: false, help)
    let value = try value(key)
    if let value, value.entries == nil { throw mismatch(key, value, "keys and values, as {key: value}") }
    var inner = Options(value ?? Node(.map([]), at: place), path: dotted(key), documented: documented)
    let result: T
    do throws(ConfigurationError) {
      result = try read(&inner)
      try inner.finish()
    } catch {
      descriptions += inner.descriptions
      throw error
    }
    descriptions += inner.descriptions
    resolve(key, as: inner.resolved)
    return result
  }

  /// Picks among names and reads what belongs to the name: `key: name`, or `key: {name: name, …}`.
  ///
  /// Without a name the default is taken, or it is an error.  Keys that the closure does not ask for are errors.  While
  /// documenting the closure runs for the default (or the first name), or for what `document(choosing:)` says.
  public mutating func named<T>(
    _ key: String, of names: [String], default defaultName: String? = nil, _ help: String,
    _ read: (String, inout Options) throws(ConfigurationError) -> T
  ) throws(ConfigurationError) -> T {
    precondition(!names.isEmpty && defaultName.map(names.contains) != false, "\(dotted(key)): no such default")
    declare(
      key, type: "name", default: defaultName.map(Node.text), isRequired: defaultName == nil, choices: names, help)
    let value = try value(key)
    let given: Node?
    switch value?.content {
    case .map: given = value?["name"].flatMap { $0.isNull ? nil : $0 }
    default: given = value
    }
    let name: String
    if let documented {
      name = documented[dotted(key)].flatMap { names.contains($0) ? $0 : nil } ?? defaultName ?? names[0]
    } else if let given {
      name = try pick(given, of: names, key: value?.entries == nil ? key : key + ".name")
    } else if let defaultName {
      name = defaultName
    } else {
      if value == nil { throw mismatch(key, node[key], oneOf(names)) }
      throw error("\(dotted(key)).name is missing; expected \(oneOf(names))", key: key)
    }
    let map = value?.entries == nil ? Node(.map([]), at: value?.place ?? place) : value!
    var inner = Options(map, path: dotted(key), documented: documented)
    inner.skip("name")
    let result: T
    do throws(ConfigurationError) {
      result = try read(name, &inner)
      try inner.finish()
    } catch {
      descriptions += inner.descriptions
      throw error
    }
    descriptions += inner.descriptions
    let nameNode = Node(.scalar(name, quoted: true), at: given?.place ?? inner.place)
    let rest = inner.taken
    resolve(
      key,
      as: rest.isEmpty ? nameNode : Node(.map([Node.Entry(key: "name", value: nameNode)] + rest), at: inner.place))
    return result
  }

  /// Marks a key as known without describing it.
  private mutating func skip(_ key: String) {
    declare(key, type: "name", default: nil, isRequired: false, "")
    descriptions.removeLast()
  }

  func pick(_ value: Node, of names: [String], key: String) throws(ConfigurationError) -> String {
    if let text = value.text, names.contains(text) { return text }
    let meant = value.text.flatMap { nearest($0, among: names) }.map { "; did you mean `\($0)`?" } ?? ""
    throw ConfigurationError("\(dotted(key)) is \(value.found); expected \(oneOf(names))\(meant)", at: value.place)
  }

  func oneOf(_ names: [String]) -> String {
    names.count == 1 ? "`\(names[0])`" : "one of \(names.joined(separator: ", "))"
  }

  /// The keys that a reader asks for, each with its description, in the order of asking.
  ///
  /// Runs the reader without a configuration: required keys get stand-ins inside their ranges, optional ones are absent, and
  /// nothing is thrown (an error of the reader's own ends the list there).  `choosing` says which name to take at a `named`
  /// key, by dotted key, so that each name's own keys can be listed in turn; `path` stands before every key.
  public static func document(
    choosing names: [String: String] = [:], path: String = "",
    _ read: (inout Options) throws(ConfigurationError) -> Void
  ) -> [KeyDescription] {
    var options = Options(.empty, path: path, documented: names)
    do throws(ConfigurationError) {
      try read(&options)
    } catch {
      return options.descriptions
    }
    return options.descriptions
  }
}
