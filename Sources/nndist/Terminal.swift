import Glibc

/// What standard output is: colours only on a terminal, and not with `NO_COLOR`.
enum Terminal {
  /// Whether texts may be coloured.
  static let hasColor: Bool = {
    if isatty(STDOUT_FILENO) != 1 { return false }
    let refusal = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    let isDumb = getenv("TERM").map { strcmp($0, "dumb") == 0 } ?? true
    return !refusal && !isDumb
  }()

  /// Headings.
  static func bold(_ text: String) -> String { styled(text, "1") }
  /// What matters less.
  static func dim(_ text: String) -> String { styled(text, "2") }
  /// What is well.
  static func green(_ text: String) -> String { styled(text, "32") }
  /// What to look at.
  static func yellow(_ text: String) -> String { styled(text, "33") }
  /// What is wrong.
  static func red(_ text: String) -> String { styled(text, "31") }

  /// One of eight degrees, from cold to hot.
  static func heat(_ text: String, _ level: Int) -> String {
    styled(text, "38;5;\([24, 31, 37, 36, 71, 142, 214, 208][level])")
  }

  private static func styled(_ text: String, _ code: String) -> String {
    hasColor ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  /// A table's text with its first line as a heading.
  static func headed(_ table: String) -> String {
    let lines = table.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    return ([bold(lines[0])] + lines.dropFirst()).joined(separator: "\n")
  }
}

/// Text set in lines of at most 100 columns.
enum Layout {
  static let columns = 100

  /// Words in lines; every line begins with as many spaces as `indent` says.
  static func wrapped(_ text: String, indent: Int = 0, columns: Int = columns) -> String {
    let margin = String(repeating: " ", count: indent)
    return text.split(separator: "\n", omittingEmptySubsequences: false).map { paragraph in
      // Lines that are indented already are set as they stand: examples.
      if paragraph.hasPrefix("  ") { return margin + paragraph }
      var lines: [String] = []
      var line = ""
      for word in paragraph.split(separator: " ") {
        if !line.isEmpty, indent + line.count + 1 + word.count > columns {
          lines.append(margin + line)
          line = ""
        }
        line += (line.isEmpty ? "" : " ") + word
      }
      lines.append(line.isEmpty ? "" : margin + line)
      return lines.joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// Terms with their explanations beside them, wrapped.
  static func glossary(_ entries: [(term: String, text: String)], indent: Int = 2, width given: Int? = nil) -> String {
    let width = given ?? min(28, entries.map(\.term.count).max() ?? 0)
    let left = indent + width + 3
    return entries.map { term, text in
      let block = wrapped(text, indent: left)
      let head = String(repeating: " ", count: indent) + term
      // A term that is too long has a line of its own.
      if head.count + 1 > left { return text.isEmpty ? head : head + "\n" + block }
      return head + block.dropFirst(min(head.count, block.count))
    }.joined(separator: "\n")
  }
}
