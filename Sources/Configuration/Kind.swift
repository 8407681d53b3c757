/// A count with its unit: `1 epoch`, `100 steps`.
public struct Quantity: Sendable, Hashable, CustomStringConvertible {
  /// How many, at least 1.
  public let count: Int
  /// The unit, singular.
  public let unit: String

  /// A count of a unit.  Precondition: at least 1.
  public init(_ count: Int, _ unit: String) {
    precondition(count >= 1, "a quantity of \(count) \(unit)")
    self.count = count
    self.unit = unit
  }

  /// `1 epoch`, `100 steps`.
  public var description: String { count == 1 ? "1 \(unit)" : "\(count) \(unit)s" }
}

/// How values of a type are read from nodes, written back, and described to users.
struct Kind<Value> {
  /// `whole number`
  var type: String
  /// `at least 1`
  var range = ""
  var unit = ""
  /// `a whole number of at least 1`
  var expected: String
  /// A value inside the range, for documentation.
  var standIn: Value
  /// Nil when the node holds no such value.
  var read: (Node) -> Value?
  var write: (Value) -> Node
  /// For lists: whether one value of it will do, and what is expected of it.
  var isItem: ((Node) -> Bool)?
  var expectedItem = ""
  /// What to add to `expected` for a value that will not do.
  var hint: (Node) -> String = { _ in "" }

  /// A list of such values.
  var list: Kind<[Value]> {
    let (read, write) = (read, write)
    return Kind<[Value]>(
      type: "list of \(type)s", range: range, unit: unit,
      expected: "a list of \(type)s\(range.isEmpty ? "" : " \(range)")",
      standIn: [standIn],
      read: { node in
        guard let items = node.items else { return nil }
        let values = items.compactMap(read)
        return values.count == items.count ? values : nil
      },
      write: { .list($0.map(write)) }, isItem: { read($0) != nil }, expectedItem: expected)
  }
}

extension Kind where Value == Int {
  static func integer(_ range: ClosedRange<Int>, unit: String) -> Kind {
    let (lower, upper) = (range.lowerBound, range.upperBound)
    let words =
      switch (lower > .min, upper < .max) {
      case (false, false): ""
      case (true, false): "at least \(lower)"
      case (false, true): "at most \(upper)"
      case (true, true): "from \(lower) to \(upper)"
      }
    return Kind(
      type: "whole number", range: words, unit: unit, expected: phrase("a whole number", words),
      standIn: range.contains(1) ? 1 : range.contains(0) ? 0 : lower > 0 ? lower : upper,
      read: { node in node.integer.flatMap { range.contains($0) ? $0 : nil } }, write: { .integer($0) },
      hint: { node in
        guard let text = node.plain, Scalar.isInteger(text), Scalar.integer(text) == nil else { return "" }
        return words.isEmpty ? " that fits 64 bits" : ""
      })
  }
}

extension Kind where Value == Double {
  static func number(_ bounds: Bounds, unit: String) -> Kind {
    Kind(
      type: "number", range: bounds.text, unit: unit, expected: phrase("a number", bounds.text),
      standIn: bounds.standIn,
      read: { node in node.number.flatMap { bounds.contains($0) ? $0 : nil } }, write: { .number($0) },
      hint: { node in
        guard let number = node.number, !number.isFinite else { return "" }
        return bounds.text.isEmpty ? " that is finite" : ", finite"
      })
  }
}

extension Kind where Value == Bool {
  static var flag: Kind {
    Kind(
      type: "true or false", expected: "true or false", standIn: false, read: { $0.flag }, write: { .flag($0) })
  }
}

extension Kind where Value == String {
  static var text: Kind {
    Kind(type: "text", expected: "a text", standIn: "text", read: { $0.text }, write: { .text($0) })
  }
}

extension Kind where Value == Quantity {
  static func quantity(_ units: [String]) -> Kind {
    let examples = units.map { "`\(Quantity(1, $0))`" }.joined(separator: " or ")
    return Kind(
      type: "count of \(units.joined(separator: "s or "))s", range: "at least 1",
      expected: "a count of at least 1 with its unit, as \(examples)", standIn: Quantity(1, units[0]),
      read: { node in
        guard let words = node.text?.split(separator: " "), words.count == 2 else { return nil }
        guard let count = Scalar.integer(String(words[0])), count >= 1 else { return nil }
        return units.first { words[1] == $0 || words[1] == $0 + "s" }.map { Quantity(count, $0) }
      }, write: { .text($0.description) })
  }
}

extension Kind where Value == Quantity? {
  /// A count with its unit, or `never`, which is nil.
  static func quantityOrNever(_ units: [String]) -> Kind {
    let quantity = Kind<Quantity>.quantity(units)
    return Kind(
      type: "\(quantity.type), or never", range: quantity.range, expected: quantity.expected + ", or `never`",
      standIn: quantity.standIn,
      read: { node in node.text == "never" ? .some(nil) : quantity.read(node).map(Optional.some) },
      write: { .text($0?.description ?? "never") })
  }
}

/// `a whole number`, `a whole number of at least 1`, `a number above 0`
private func phrase(_ noun: String, _ range: String) -> String {
  if range.isEmpty { return noun }
  return range.hasPrefix("at ") ? "\(noun) of \(range)" : "\(noun) \(range)"
}
