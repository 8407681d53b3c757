import Tensors

/// A UTF-8 text as tokens, one a character; the vocabulary is its characters in code point order.
struct TextFile {
  /// One or two bytes a token.
  let tokens: ByteBlock
  /// Whether a token takes two bytes.
  let wide: Bool
  /// Tokens of the text.
  let count: Int
  /// The character of each token.
  let vocabulary: [Character]

  /// Reads a whole text, plain or gzip.
  init(_ path: String) throws(DataError) {
    let file = try ByteReader.whole(path)
    guard file.count > 0 else { throw DataError.malformed(path, "the text is empty") }
    // Unicode scalars, not grapheme clusters: a vocabulary must not depend on a Unicode version.
    guard let text = String(validating: file.bytes, as: UTF8.self) else {
      throw DataError.malformed(path, "not UTF-8 text; convert it first (iconv -t UTF-8)")
    }
    try self.init(text, path: path)
  }

  /// Takes a text that was read from `path`.
  init(_ text: String, path: String) throws(DataError) {
    let scalars = text.unicodeScalars
    let symbols = Set(scalars).sorted()
    guard symbols.count <= 65536 else {
      throw DataError(.unsuitable, "\(path) has \(symbols.count) distinct characters; at most 65,536 are taken")
    }
    var numbers: [Unicode.Scalar: UInt16] = [:]
    for (number, symbol) in symbols.enumerated() { numbers[symbol] = UInt16(number) }
    let total = scalars.count
    let wide = symbols.count > 256
    tokens = ByteBlock.make(wide ? 2 * total : total) { target in
      var i = 0
      for scalar in scalars {
        let number = numbers[scalar] ?? 0
        if wide {
          target.storeBytes(of: number, toByteOffset: 2 * i, as: UInt16.self)
        } else {
          target[i] = UInt8(number)
        }
        i += 1
      }
    }
    self.wide = wide
    count = total
    vocabulary = symbols.map { Character($0) }
  }

  /// The windows of some stretches of the text.
  func source(_ stretches: [Range<Int>], context: Int, shift: UInt64? = nil) -> TextSource {
    TextSource(
      tokens: tokens, wide: wide, vocabulary: vocabulary.count, context: context, stretches: stretches, shift: shift)
  }
}
