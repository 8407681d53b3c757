extension Options {
  /// A whole number.  Throws when it is none, lies outside the range, or is required (no default) and missing.
  public mutating func integer(
    _ key: String, default value: Int? = nil, in range: ClosedRange<Int> = Int.min...Int.max, unit: String = "",
    _ help: String
  ) throws(ConfigurationError) -> Int {
    precondition(value.map(range.contains) != false, "\(dotted(key)): default outside its range")
    return try required(Kind.integer(range, unit: unit), key, default: value, help)
  }

  /// A whole number, nil when absent.
  public mutating func optionalInteger(
    _ key: String, in range: ClosedRange<Int> = Int.min...Int.max, unit: String = "", _ help: String
  ) throws(ConfigurationError) -> Int? {
    try optional(Kind.integer(range, unit: unit), key, help)
  }

  /// A finite number.  Throws when it is none, lies out of bounds, or is required (no default) and missing.
  public mutating func number(
    _ key: String, default value: Double? = nil, in bounds: Bounds = .finite, unit: String = "", _ help: String
  ) throws(ConfigurationError) -> Double {
    precondition(value.map(bounds.contains) != false, "\(dotted(key)): default out of bounds")
    return try required(Kind.number(bounds, unit: unit), key, default: value, help)
  }

  /// A finite number, nil when absent.
  public mutating func optionalNumber(
    _ key: String, in bounds: Bounds = .finite, unit: String = "", _ help: String
  ) throws(ConfigurationError) -> Double? {
    try optional(Kind.number(bounds, unit: unit), key, help)
  }

  /// `true` or `false`.
  public mutating func flag(
    _ key: String, default value: Bool? = nil, _ help: String
  ) throws(ConfigurationError) -> Bool {
    try required(.flag, key, default: value, help)
  }

  /// `true` or `false`, nil when absent.
  public mutating func optionalFlag(_ key: String, _ help: String) throws(ConfigurationError) -> Bool? {
    try optional(.flag, key, help)
  }

  /// Any scalar, as its text.
  public mutating func text(
    _ key: String, default value: String? = nil, _ help: String
  ) throws(ConfigurationError) -> String {
    try required(.text, key, default: value, help)
  }

  /// Any scalar, as its text, nil when absent.
  public mutating func optionalText(_ key: String, _ help: String) throws(ConfigurationError) -> String? {
    try optional(.text, key, help)
  }

  /// One of some names; another is an error that lists them and the nearest.
  public mutating func choice(
    _ key: String, of names: [String], default value: String? = nil, _ help: String
  ) throws(ConfigurationError) -> String {
    precondition(!names.isEmpty && value.map(names.contains) != false, "\(dotted(key)): no such default")
    return try required(choiceKind(names), key, default: value, choices: names, help)
  }

  /// One of some names, nil when absent.
  public mutating func optionalChoice(
    _ key: String, of names: [String], _ help: String
  ) throws(ConfigurationError) -> String? {
    precondition(!names.isEmpty, "\(dotted(key)): no names to choose from")
    return try optional(choiceKind(names), key, choices: names, help)
  }

  /// A list of whole numbers, each in the range.
  public mutating func integers(
    _ key: String, default value: [Int]? = nil, in range: ClosedRange<Int> = Int.min...Int.max, unit: String = "",
    _ help: String
  ) throws(ConfigurationError) -> [Int] {
    try required(Kind.integer(range, unit: unit).list, key, default: value, help)
  }

  /// A list of finite numbers, each within bounds.
  public mutating func numbers(
    _ key: String, default value: [Double]? = nil, in bounds: Bounds = .finite, unit: String = "", _ help: String
  ) throws(ConfigurationError) -> [Double] {
    try required(Kind.number(bounds, unit: unit).list, key, default: value, help)
  }

  /// A list of texts.
  public mutating func texts(
    _ key: String, default value: [String]? = nil, _ help: String
  ) throws(ConfigurationError) -> [String] {
    try required(Kind.text.list, key, default: value, help)
  }

  /// A count with its unit, as `1 epoch` or `100 steps`; `units` are singular, a plural with -s is read too.
  public mutating func quantity(
    _ key: String, in units: [String], default value: Quantity? = nil, _ help: String
  ) throws(ConfigurationError) -> Quantity {
    precondition(!units.isEmpty && value.map { units.contains($0.unit) } != false, "\(dotted(key)): no such unit")
    return try required(.quantity(units), key, default: value, help)
  }

  /// A count with its unit; nil where the configuration says `never`.
  public mutating func quantityOrNever(
    _ key: String, in units: [String], default value: Quantity, _ help: String
  ) throws(ConfigurationError) -> Quantity? {
    precondition(units.contains(value.unit), "\(dotted(key)): no such unit")
    return try required(.quantityOrNever(units), key, default: .some(value), help)
  }

  /// A count with its unit, nil when absent.
  public mutating func optionalQuantity(
    _ key: String, in units: [String], _ help: String
  ) throws(ConfigurationError) -> Quantity? {
    precondition(!units.isEmpty, "\(dotted(key)): no units")
    return try optional(.quantity(units), key, help)
  }
}

extension Options {
  private mutating func required<T>(
    _ kind: Kind<T>, _ key: String, default fallback: T?, choices: [String] = [], _ help: String
  ) throws(ConfigurationError) -> T {
    declare(
      key, type: kind.type, range: kind.range, unit: kind.unit, default: fallback.map(kind.write),
      isRequired: fallback == nil, choices: choices, help)
    let result: T
    if let given = try given(kind, key) {
      result = given
    } else if let fallback {
      result = fallback
    } else if isDocumenting {
      result = kind.standIn
    } else {
      throw mismatch(key, node[key], kind.expected, unit: kind.unit)
    }
    record(key, kind.write(result))
    return result
  }

  private mutating func optional<T>(
    _ kind: Kind<T>, _ key: String, choices: [String] = [], _ help: String
  ) throws(ConfigurationError) -> T? {
    declare(
      key, type: kind.type, range: kind.range, unit: kind.unit, default: nil, isRequired: false, choices: choices, help)
    guard let result = try given(kind, key) else { return nil }
    record(key, kind.write(result))
    return result
  }

  private func given<T>(_ kind: Kind<T>, _ key: String) throws(ConfigurationError) -> T? {
    guard let value = try value(key) else { return nil }
    if let result = kind.read(value) { return result }
    if let items = value.items, let isItem = kind.isItem, let index = items.firstIndex(where: { !isItem($0) }) {
      throw mismatch("\(key).\(index)", items[index], kind.expectedItem, unit: kind.unit)
    }
    throw mismatch(key, value, kind.expected + kind.hint(value), unit: kind.unit)
  }

  /// Notes a value in canonical form, at the place where it was given.
  private mutating func record(_ key: String, _ value: Node) {
    resolve(key, as: value.placedThroughout(at: node[key]?.place ?? place))
  }

  private func choiceKind(_ names: [String]) -> Kind<String> {
    Kind(
      type: "name", expected: oneOf(names), standIn: names[0],
      read: { value in value.text.flatMap { names.contains($0) ? $0 : nil } }, write: { .text($0) },
      hint: { value in value.text.flatMap { nearest($0, among: names) }.map { "; did you mean `\($0)`?" } ?? "" })
  }
}
