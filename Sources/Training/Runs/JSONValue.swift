/// A JSON value whose objects keep the order of their keys, for output that people and `diff` read.
///
/// Numbers are printed in the shortest form that reads back to the same bits; what JSON cannot say (NaN, infinity) is null.
/// It only writes: Foundation reads.
public enum JSONValue: Sendable, Hashable {
  case null
  case flag(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object(JSONObject)

  /// The value on one line.
  public var text: String {
    var result = ""
    write(to: &result, indent: nil)
    return result
  }

  /// The value over several lines; lists and objects of scalars stay on one.
  public var lines: String {
    var result = ""
    write(to: &result, indent: 0)
    return result
  }

  private var isScalar: Bool {
    switch self {
    case .list, .object: false
    default: true
    }
  }

  fileprivate func write(to result: inout String, indent: Int?) {
    switch self {
    case .null: result += "null"
    case .flag(let value): result += value ? "true" : "false"
    case .integer(let value): result += String(value)
    case .number(let value): result += value.isFinite ? value.description : "null"
    case .text(let value): JSONValue.quote(value, into: &result)
    case .list(let items):
      JSONValue.write(
        items, "[", "]", indent: items.allSatisfy(\.isScalar) ? nil : indent, into: &result
      ) { item, result, indent in item.write(to: &result, indent: indent) }
    case .object(let object):
      JSONValue.write(
        object.members, "{", "}", indent: indent == 0 || !object.members.allSatisfy(\.value.isScalar) ? indent : nil,
        into: &result
      ) { member, result, indent in
        JSONValue.quote(member.key, into: &result)
        result += ": "
        member.value.write(to: &result, indent: indent)
      }
    }
  }

  private static func write<Item>(
    _ items: [Item], _ open: String, _ close: String, indent: Int?, into result: inout String,
    _ body: (Item, inout String, Int?) -> Void
  ) {
    result += open
    for (index, item) in items.enumerated() {
      if index > 0 { result += indent == nil ? ", " : "," }
      if let indent { result += "\n" + String(repeating: " ", count: indent + 2) }
      body(item, &result, indent.map { $0 + 2 })
    }
    if let indent, !items.isEmpty { result += "\n" + String(repeating: " ", count: indent) }
    result += close
  }

  /// Appends a text in quotes, everything that could end a line or is no graphic character escaped.
  private static func quote(_ text: String, into result: inout String) {
    result += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0}"..<"\u{20}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    result += "\""
  }
}

/// A JSON object whose keys keep the order in which they were first set.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  /// A key with its value.
  public struct Member: Sendable, Hashable {
    /// The key.
    public let key: String
    /// Its value.
    public internal(set) var value: JSONValue
  }

  /// Keys and values in order.
  public private(set) var members: [Member] = []

  /// An object without keys.
  public init() {}

  /// An object of keys in the order given; a key that comes twice keeps its first place and last value.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (key, value) in elements { self[key] = value }
  }

  /// The value of a key.  Setting one that is there replaces it in place; nil removes it.
  public subscript(key: String) -> JSONValue? {
    get { members.first { $0.key == key }?.value }
    set {
      let index = members.firstIndex { $0.key == key }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append(Member(key: key, value: value))
      case (nil, nil): break
      }
    }
  }

  /// Appends all keys of another object, or replaces their values.
  public mutating func merge(_ other: JSONObject) {
    for member in other.members { self[member.key] = member.value }
  }

  /// The object on one line.
  public var text: String { JSONValue.object(self).text }
  /// The object over several lines.
  public var lines: String { JSONValue.object(self).lines }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// A text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A whole number.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .flag(value) }
  /// Null.
  public init(nilLiteral: ()) { self = .null }
  /// A list.
  public init(arrayLiteral elements: JSONValue...) { self = .list(elements) }
  /// An object.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    var object = JSONObject()
    for (key, value) in elements { object[key] = value }
    self = .object(object)
  }
}
