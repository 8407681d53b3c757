/// One YAML value and where it stands.
///
/// Scalars keep their text and are typed when they are read.  Two nodes are equal when they mean the same, wherever they
/// stand and however they were quoted.
public struct Node: Sendable, Equatable {
  /// What a node holds.
  public indirect enum Content: Sendable {
    /// No value: `null`, `~` or nothing at all.
    case null
    /// A text; quoted ones are texts even where they look like a number, a truth value or null.
    case scalar(String, quoted: Bool)
    /// Values in order.
    case list([Node])
    /// Keys and values in the order they were written; no key comes twice.
    case map([Entry])
  }

  /// A key of a map with its value.
  public struct Entry: Sendable {
    /// The key's text.
    public let key: String
    /// Where the key stands.
    public let place: Place
    /// The value, which may stand on a later line.
    public let value: Node

    /// A key with its value; the place is that of the value unless it is given.
    public init(key: String, place: Place? = nil, value: Node) {
      self.key = key
      self.place = place ?? value.place
      self.value = value
    }
  }

  /// What the node holds.
  public let content: Content
  /// Where it stands.
  public let place: Place

  /// A node of a content.  A plain scalar that means null becomes null, a plain empty one an empty text.
  public init(_ content: Content, at place: Place = .nowhere) {
    if case .scalar(let text, quoted: false) = content, Scalar.isNull(text) {
      self.content = text.isEmpty ? .scalar("", quoted: true) : .null
    } else {
      self.content = content
    }
    self.place = place
  }

  /// Whether both mean the same; places and needless quotes do not count, the order of keys does.
  public static func == (left: Node, right: Node) -> Bool {
    switch (left.content, right.content) {
    case (.null, .null): true
    case (.scalar(let a, let aQuoted), .scalar(let b, let bQuoted)):
      a.utf8.elementsEqual(b.utf8) && (aQuoted == bQuoted || !Scalar.isTyped(a))
    case (.list(let a), .list(let b)): a == b
    case (.map(let a), .map(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value }
    default: false
    }
  }
}

// MARK: - Building

extension Node {
  /// No value.
  public static let null = Node(.null)
  /// A map without keys.
  public static let empty = Node(.map([]))

  /// A plain scalar, typed by how it looks: `Node.scalar("12")` is a number.
  public static func scalar(_ text: String) -> Node { Node(.scalar(text, quoted: false)) }
  /// A text, whatever it looks like.
  public static func text(_ text: String) -> Node { Node(.scalar(text, quoted: true)) }
  /// A whole number.
  public static func integer(_ value: Int) -> Node { scalar("\(value)") }
  /// A number, which reads back to the same bits.
  public static func number(_ value: Double) -> Node { scalar(Scalar.text(value)) }
  /// A truth value.
  public static func flag(_ value: Bool) -> Node { scalar(value ? "true" : "false") }
  /// A list of values.
  public static func list(_ items: [Node]) -> Node { Node(.list(items)) }

  /// A map of keys in the order given.  Precondition: no key comes twice.
  public static func map(_ entries: KeyValuePairs<String, Node>) -> Node {
    map(entries.map { ($0.key, $0.value) })
  }

  /// A map of keys in the order given.  Precondition: no key comes twice.
  public static func map(_ entries: [(String, Node)]) -> Node {
    precondition(Set(entries.map { $0.0 }).count == entries.count, "a key comes twice in \(entries.map { $0.0 })")
    return Node(.map(entries.map { Entry(key: $0.0, value: $0.1) }))
  }

  /// The same value at another place; what it holds keeps its own.
  public func placed(at place: Place) -> Node { Node(content, at: place) }
}

// MARK: - Looking

extension Node {
  /// Whether it is no value.
  public var isNull: Bool {
    if case .null = content { true } else { false }
  }

  /// The entries of a map; nil for anything else.
  public var entries: [Entry]? {
    if case .map(let entries) = content { entries } else { nil }
  }

  /// The values of a list; nil for anything else.
  public var items: [Node]? {
    if case .list(let items) = content { items } else { nil }
  }

  /// The text of a scalar of any type; nil for anything else.
  public var text: String? {
    if case .scalar(let text, _) = content { text } else { nil }
  }

  /// The whole number a plain scalar stands for; nil for anything else.
  public var integer: Int? { plain.flatMap(Scalar.integer) }

  /// The number a plain scalar stands for, which may be infinite or not a number; nil for anything else.
  public var number: Double? { plain.flatMap(Scalar.number) }

  /// The truth value a plain scalar stands for; nil for anything else.
  public var flag: Bool? { plain.flatMap(Scalar.flag) }

  /// The value of a map's key; nil when there is none, or no map.
  public subscript(key: String) -> Node? {
    entries?.first { $0.key == key }?.value
  }

  var plain: String? {
    if case .scalar(let text, quoted: false) = content { text } else { nil }
  }

  /// What stands here, for messages: `-3`, `"abc"`, `a list`.
  public var found: String {
    switch content {
    case .null: "empty"
    case .list: "a list"
    case .map: "a map"
    case .scalar(let text, false) where Scalar.isTyped(text): text.shortened()
    case .scalar(let text, true) where Scalar.isTyped(text) && !text.isEmpty: "the quoted text \"\(text.shortened())\""
    case .scalar(let text, _): "\"\(text.shortened())\""
    }
  }

  /// How deep lists and maps nest: 0 for a scalar.
  var depth: Int {
    switch content {
    case .null, .scalar: 0
    case .list(let items): 1 + (items.map(\.depth).max() ?? 0)
    case .map(let entries): 1 + (entries.map(\.value.depth).max() ?? 0)
    }
  }
}
