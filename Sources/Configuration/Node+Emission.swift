extension Node {
  /// The value as YAML text that reads back as an equal node: one line for what is short, blocks for what is not.
  ///
  /// The same node always gives the same text.  Precondition: keys have at most 200 bytes and levels number at most 64,
  /// as in every node that was parsed.
  public func yaml() -> String {
    var text = ""
    for line in Emission.lines(self, asBlock: true) { text += line + "\n" }
    return text
  }

  /// The value on one line, as `{name: mlp, widths: [512, 512]}`.
  public func yamlOnOneLine() -> String { Emission.flow(self) }
}

private enum Emission {
  /// Columns up to which a list or map stays on one line.
  static let width = 100

  /// The block form, without indentation of its own; one line where `room` columns suffice, unless a block is wanted.
  static func lines(_ node: Node, asBlock: Bool = false, room: Int = width) -> [String] {
    switch node.content {
    case .map(let entries) where !entries.isEmpty && (asBlock || !fits(node, in: room)):
      var result: [String] = []
      for entry in entries {
        let key = scalar(entry.key, quoted: Scalar.isNull(entry.key)) + ":"
        switch entry.value.content {
        case .map(let inner) where !inner.isEmpty && !fits(entry.value, in: room - key.count - 1):
          result.append(key)
          result += lines(entry.value, asBlock: true, room: room - 2).map { "  " + $0 }
        case .list(let inner) where !inner.isEmpty && !fits(entry.value, in: room - key.count - 1):
          result.append(key)
          result += lines(entry.value, asBlock: true, room: room - 2).map { "  " + $0 }
        default:
          result.append(key + " " + flow(entry.value))
        }
      }
      return result
    case .list(let items) where !items.isEmpty && (asBlock || !fits(node, in: room)):
      var result: [String] = []
      for item in items {
        for (index, line) in lines(item, room: room - 2).enumerated() {
          result.append((index == 0 ? "- " : "  ") + line)
        }
      }
      return result
    default:
      return [flow(node)]
    }
  }

  static func fits(_ node: Node, in room: Int) -> Bool {
    node.depth <= 3 && flow(node).count <= room
  }

  static func flow(_ node: Node) -> String {
    switch node.content {
    case .null: "null"
    case .scalar(let text, let quoted): scalar(text, quoted: quoted)
    case .list(let items): "[" + items.map(flow).joined(separator: ", ") + "]"
    case .map(let entries):
      "{"
        + entries.map { scalar($0.key, quoted: Scalar.isNull($0.key)) + ": " + flow($0.value) }.joined(separator: ", ")
        + "}"
    }
  }

  /// A scalar, quoted where it must be: it would mean something else, or other YAML readers would take it for a truth
  /// value, or it holds characters that could be syntax.
  static func scalar(_ text: String, quoted: Bool) -> String {
    let keepsQuotes = quoted && (Scalar.isTyped(text) || looksTrue.contains(text.lowercased()))
    if !keepsQuotes, isPlain(text) { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      default:
        if isPrintable(scalar) {
          result.unicodeScalars.append(scalar)
        } else {
          result += scalar.escaped
        }
      }
    }
    return result + "\""
  }

  /// YAML 1.1's other truth values.
  static let looksTrue: Set<String> = ["yes", "no", "on", "off"]

  /// Whether a text is safe without quotes in blocks and on one line; stricter than YAML.
  static func isPlain(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    guard let first = scalars.first, scalars.last != " " else { return false }
    let second = scalars.count > 1 ? scalars[1] : " "
    let isSecondPlain = isWord(second) || second == "." || second == "/"
    switch first {
    case "-", "+": guard isSecondPlain else { return false }
    case ".": guard isSecondPlain, !text.hasPrefix("...") else { return false }
    case "/": break
    default: guard isWord(first) else { return false }
    }
    return scalars.allSatisfy { isWord($0) || " ./+-()%=@~^$*<>;!&|'\\".unicodeScalars.contains($0) }
  }

  static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_": true
    default: scalar.value > 0xA0 && isPrintable(scalar)
    }
  }

  static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20...0x7E, 0xA1...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x10000...0x10FFFF: true
    default: false
    }
  }
}

extension Unicode.Scalar {
  /// The scalar as an escape of YAML's double quotes.
  var escaped: String {
    switch self {
    case "\n": return "\\n"
    case "\t": return "\\t"
    case "\r": return "\\r"
    default:
      let digits = String(value, radix: 16)
      let (letter, width) = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
      return "\\" + letter + String(repeating: "0", count: width - digits.count) + digits
    }
  }
}
