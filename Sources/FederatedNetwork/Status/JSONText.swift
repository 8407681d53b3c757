/// A JSON text that is written from its beginning to its end.
struct JSONText {
  private(set) var text = ""
  private var needsComma = false

  /// `{…}`.
  mutating func object(_ body: (inout JSONText) -> Void) { enclosed("{", "}", body) }

  /// `[…]`.
  mutating func list(_ body: (inout JSONText) -> Void) { enclosed("[", "]", body) }

  /// `"…":`, before a value.
  mutating func key(_ name: String) {
    value(name)
    text += ":"
    needsComma = false
  }

  mutating func value(_ number: Int?) { literal(number.map(String.init)) }

  /// A number; `null` where there is none, or one that JSON cannot say.
  mutating func value(_ number: Double?) { literal(number.flatMap { $0.isFinite ? "\($0)" : nil }) }

  /// A string, in which nothing ends a string, a line or a script.
  mutating func value(_ string: String) {
    separate()
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\u{20}"..."\u{7E}" where scalar != "<" && scalar != ">" && scalar != "&": text.unicodeScalars.append(scalar)
      case "\u{A0}"..."\u{1FFF}", "\u{3001}"..."\u{D7FF}", "\u{10000}"...: text.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    text += "\""
  }

  private mutating func literal(_ word: String?) {
    separate()
    text += word ?? "null"
  }

  private mutating func enclosed(_ opening: String, _ closing: String, _ body: (inout JSONText) -> Void) {
    separate()
    text += opening
    needsComma = false
    body(&self)
    text += closing
    needsComma = true
  }

  private mutating func separate() {
    if needsComma { text += "," }
    needsComma = true
  }
}
