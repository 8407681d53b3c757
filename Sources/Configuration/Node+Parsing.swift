import CYAML
import Glibc

/// What a configuration may measure; beyond it the input is refused, not worked through.
enum Limits {
  static let bytes = 1 << 20
  static let depth = 64
  /// Bytes of a key.  libyaml takes a key of at most 1024 characters, and an escape makes up to four of one byte.
  static let key = 200
}

extension Node {
  /// Reads a configuration file.
  ///
  /// Refused, with the line: what is not YAML or not UTF-8, keys that come twice, anchors and aliases, tags, several
  /// documents, more than 64 levels, more than 1 MiB, an empty file.
  public static func load(_ path: String) throws(ConfigurationError) -> Node {
    let place = Place(file: path)
    guard let file = fopen(path, "rb") else {
      throw ConfigurationError("cannot be read: \(String(cString: strerror(errno)))", at: place)
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: Limits.bytes + 1)
    let count = bytes.withUnsafeMutableBytes { fread($0.baseAddress, 1, $0.count, file) }
    if ferror(file) != 0 {
      throw ConfigurationError("cannot be read: \(String(cString: strerror(errno)))", at: place)
    }
    bytes.removeLast(bytes.count - count)
    return try parse(bytes, file: path)
  }

  /// Reads YAML text; `file` names it in messages.  Refuses what ``load(_:)`` refuses.
  public static func parse(_ yaml: String, file: String) throws(ConfigurationError) -> Node {
    try parse(Array(yaml.utf8), file: file)
  }

  /// Reads YAML bytes; `file` names them in messages.  Refuses what ``load(_:)`` refuses.
  public static func parse(_ yaml: [UInt8], file: String) throws(ConfigurationError) -> Node {
    guard let node = try parseIfAny(yaml, file: file) else {
      throw ConfigurationError("the file is empty; expected keys and values", at: Place(file: file, line: 1))
    }
    return node
  }

  /// The document, or nil where there is nothing but comments.
  static func parseIfAny(_ yaml: [UInt8], file: String) throws(ConfigurationError) -> Node? {
    guard yaml.count <= Limits.bytes else {
      throw ConfigurationError("larger than 1 MiB; a configuration is not", at: Place(file: file))
    }
    try requireUTF8(yaml, file: file)
    let reader = EventReader(yaml, file: file)
    return try reader.document()
  }

  /// libyaml guesses encodings; here only UTF-8 counts, and the first wrong byte is told by its line.
  private static func requireUTF8(_ bytes: [UInt8], file: String) throws(ConfigurationError) {
    if String(validating: bytes, as: UTF8.self) != nil { return }
    var decoder = UTF8()
    var input = bytes.makeIterator()
    var line = 1
    while true {
      switch decoder.decode(&input) {
      case .scalarValue("\n"): line += 1
      case .scalarValue: continue
      case .emptyInput: return
      case .error:
        throw ConfigurationError("not UTF-8 text; save the file as UTF-8", at: Place(file: file, line: line))
      }
    }
  }
}

/// Builds nodes from libyaml's events, one document, refusing early what is not allowed.
private final class EventReader {
  private let file: String
  private let bytes: UnsafeMutableBufferPointer<UInt8>
  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private var event = yaml_event_t()
  private let isReady: Bool

  init(_ yaml: [UInt8], file: String) {
    self.file = file
    bytes = .allocate(capacity: yaml.count + 1)
    _ = bytes.initialize(from: yaml)
    bytes[yaml.count] = 0
    isReady = yaml_parser_initialize(parser) == 1
    if isReady {
      yaml_parser_set_input_string(parser, bytes.baseAddress, yaml.count)
    }
  }

  deinit {
    yaml_event_delete(&event)
    if isReady { yaml_parser_delete(parser) }
    parser.deallocate()
    bytes.deallocate()
  }

  func document() throws(ConfigurationError) -> Node? {
    guard isReady else { throw ConfigurationError("no memory left to read YAML", at: Place(file: file)) }
    try advance()  // the stream starts
    try advance()
    if event.type == YAML_STREAM_END_EVENT { return nil }
    try advance()  // past the document's start
    let isBare =
      event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0
      && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE
    let root = try node(depth: 0)
    try advance()  // the document's end
    try advance()
    guard event.type == YAML_STREAM_END_EVENT else {
      throw ConfigurationError("a second document starts here; a configuration is one document", at: place)
    }
    return isBare ? nil : root
  }

  private var place: Place { Place(file: file, line: event.start_mark.line + 1) }

  /// The node that starts with the present event; leaves its last event as the present one.
  private func node(depth: Int) throws(ConfigurationError) -> Node {
    let start = place
    switch event.type {
    case YAML_ALIAS_EVENT:
      throw ConfigurationError("aliases (`*name`) are not supported; write the value out", at: start)
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      try refuse(anchor: scalar.anchor, at: start)
      let isText = try isText(scalar.tag, at: start)
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let quoted = isText || scalar.style != YAML_PLAIN_SCALAR_STYLE
      return text.isEmpty && !quoted ? Node(.null, at: start) : Node(.scalar(text, quoted: quoted), at: start)
    case YAML_SEQUENCE_START_EVENT:
      try refuse(anchor: event.data.sequence_start.anchor, at: start)
      try refuse(tag: event.data.sequence_start.tag, at: start)
      try checkDepth(depth + 1, at: start)
      var items: [Node] = []
      try advance()
      while event.type != YAML_SEQUENCE_END_EVENT {
        items.append(try node(depth: depth + 1))
        try advance()
      }
      return Node(.list(items), at: start)
    case YAML_MAPPING_START_EVENT:
      try refuse(anchor: event.data.mapping_start.anchor, at: start)
      try refuse(tag: event.data.mapping_start.tag, at: start)
      try checkDepth(depth + 1, at: start)
      return Node(.map(try entries(depth: depth + 1)), at: start)
    default:
      throw ConfigurationError("not YAML", at: start)
    }
  }

  private func entries(depth: Int) throws(ConfigurationError) -> [Node.Entry] {
    var entries: [Node.Entry] = []
    var lines: [String: Int] = [:]
    try advance()
    while event.type != YAML_MAPPING_END_EVENT {
      let keyPlace = place
      let keyNode = try node(depth: depth)
      let key: String
      switch keyNode.content {
      case .scalar(let text, _): key = text
      case .null: key = "null"
      case .list, .map: throw ConfigurationError("a key is \(keyNode.found); expected a name", at: keyPlace)
      }
      guard key.utf8.count <= Limits.key else {
        throw ConfigurationError("the key `\(key.shortened())` is longer than \(Limits.key) bytes", at: keyPlace)
      }
      if let line = lines.updateValue(keyPlace.line, forKey: key) {
        throw ConfigurationError("the key `\(key)` comes twice; it already stands on line \(line)", at: keyPlace)
      }
      try advance()
      entries.append(Node.Entry(key: key, place: keyPlace, value: try node(depth: depth)))
      try advance()
    }
    return entries
  }

  private func checkDepth(_ depth: Int, at place: Place) throws(ConfigurationError) {
    if depth > Limits.depth {
      throw ConfigurationError("lists and maps nest deeper than \(Limits.depth) levels", at: place)
    }
  }

  private func refuse(anchor: UnsafeMutablePointer<UInt8>?, at place: Place) throws(ConfigurationError) {
    if anchor != nil {
      throw ConfigurationError("anchors (`&name`) are not supported; write the value out", at: place)
    }
  }

  private func refuse(tag: UnsafeMutablePointer<UInt8>?, at place: Place) throws(ConfigurationError) {
    if let tag {
      throw ConfigurationError(
        "the tag `\(String(cString: tag).shortened())` is not supported; leave it out", at: place)
    }
  }

  /// Whether a scalar's tag makes it a text; other tags are refused.
  private func isText(_ tag: UnsafeMutablePointer<UInt8>?, at place: Place) throws(ConfigurationError) -> Bool {
    guard let tag else { return false }
    if ["!", "tag:yaml.org,2002:str"].contains(String(cString: tag)) { return true }
    try refuse(tag: tag, at: place)
    return false
  }

  private func advance() throws(ConfigurationError) {
    yaml_event_delete(&event)
    guard yaml_parser_parse(parser, &event) == 1 else { throw problem() }
  }

  /// libyaml's complaint as one line.
  private func problem() -> ConfigurationError {
    let said = parser.pointee.problem.map { String(cString: $0) } ?? "out of memory"
    guard parser.pointee.error != YAML_READER_ERROR else {
      let offset = min(parser.pointee.problem_offset, bytes.count - 1)
      let line = bytes[..<offset].reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
      return ConfigurationError("not YAML: \(said)", at: Place(file: file, line: line))
    }
    let line = parser.pointee.problem_mark.line + 1
    let context = parser.pointee.context.map { " \(String(cString: $0))" } ?? ""
    let contextLine = parser.pointee.context_mark.line + 1
    let since = !context.isEmpty && contextLine != line ? " that starts on line \(contextLine)" : ""
    let place = Place(file: file, line: line)
    if isIndentedByTab(line) {
      return ConfigurationError("not YAML: a tab indents this line; use spaces", at: place)
    }
    return ConfigurationError("not YAML: \(said)\(context)\(since)", at: place)
  }

  private func isIndentedByTab(_ line: Int) -> Bool {
    let lines = bytes.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard line <= lines.count else { return false }
    return lines[line - 1].prefix { $0 == 0x20 || $0 == 0x09 }.contains(0x09)
  }
}
