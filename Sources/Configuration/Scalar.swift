/// How plain YAML scalars are typed: YAML 1.2's core schema (2009, section 10.3.2), applied when a value is read.
enum Scalar {
  /// Whether a plain scalar means "no value".
  static func isNull(_ text: String) -> Bool {
    ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// `true` and `false`; not YAML 1.1's yes, no, on and off.
  static func flag(_ text: String) -> Bool? {
    switch text {
    case "true", "True", "TRUE": true
    case "false", "False", "FALSE": false
    default: nil
    }
  }

  /// Whether the text is written as a whole number, however large.
  static func isInteger(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    if bytes.count > 2, bytes[0] == UInt8(ascii: "0") {
      if bytes[1] == UInt8(ascii: "x") { return bytes[2...].allSatisfy { Character(Unicode.Scalar($0)).isHexDigit } }
      if bytes[1] == UInt8(ascii: "o") { return bytes[2...].allSatisfy { (0x30...0x37).contains($0) } }
    }
    let digits = bytes.dropFirst(bytes.first.map(isSign) == true ? 1 : 0)
    return !digits.isEmpty && digits.allSatisfy(isDigit)
  }

  /// A whole number: `12`, `-3`, `0x1f`, `0o17`.  Nil when it is none, or none that fits 64 bits.
  static func integer(_ text: String) -> Int? {
    guard isInteger(text) else { return nil }
    if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
    if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8) }
    return Int(text)
  }

  /// A number: `3`, `-1.5`, `.5`, `5e-4`, `.inf`, `.nan`.  Nil when it is none; infinite when it is beyond Float64.
  static func number(_ text: String) -> Double? {
    switch text {
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .infinity
    case "-.inf", "-.Inf", "-.INF": return -.infinity
    case ".nan", ".NaN", ".NAN": return .nan
    default: break
    }
    let bytes = Array(text.utf8)
    var position = bytes.first.map(isSign) == true ? 1 : 0
    func digits() -> Int {
      let start = position
      while position < bytes.count, isDigit(bytes[position]) { position += 1 }
      return position - start
    }
    var mantissa = digits()
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      position += 1
      mantissa += digits()
    }
    guard mantissa > 0 else { return nil }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < bytes.count, isSign(bytes[position]) { position += 1 }
      guard digits() > 0 else { return nil }
    }
    guard position == bytes.count else { return nil }
    return Double(text)
  }

  /// Whether a plain scalar means something else than its text.
  static func isTyped(_ text: String) -> Bool {
    isNull(text) || flag(text) != nil || isInteger(text) || number(text) != nil
  }

  /// A number as YAML, read back to the same bits.
  static func text(_ value: Double) -> String {
    if value.isNaN { return ".nan" }
    if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
    return "\(value)"
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
  private static func isSign(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") }
}
