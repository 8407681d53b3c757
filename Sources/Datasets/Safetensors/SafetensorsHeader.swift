import Tensors

/// The JSON header of a safetensors file: an object of `{"dtype", "shape", "data_offsets"}` by tensor name, and
/// `__metadata__`, an object of strings.
///
/// The parser takes this shape of JSON and nothing else: no key twice, no unknown member, no nesting beyond it.
struct SafetensorsHeader {
  private(set) var tensors: [String: TensorEntry] = [:]
  private(set) var metadata: [String: String] = [:]

  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var position = 0

  /// Parses a header; `path` is for messages.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(DataError) {
    self.bytes = bytes
    self.path = path
    guard bytes.first == UInt8(ascii: "{") else { throw fault("does not begin with {") }
    var hasMetadata = false
    try members { (parser, key) throws(DataError) in
      if key == "__metadata__" {
        guard !hasMetadata else { throw parser.fault("has two `__metadata__`") }
        hasMetadata = true
        try parser.members { (parser, key) throws(DataError) in
          guard parser.metadata[key] == nil else { throw parser.fault("has metadata `\(key)` twice") }
          parser.metadata[key] = try parser.string()
        }
      } else {
        guard parser.tensors[key] == nil else { throw parser.fault("names tensor \(key) twice") }
        parser.tensors[key] = try parser.entry(key)
      }
    }
    skip()
    guard position == bytes.count else { throw fault("goes on after its end") }
  }

  /// Where an image's header ends and its tensors begin.
  private(set) var end = 0

  /// Parses the header of a whole image, and makes sure that its tensors cover what follows exactly, without gap or overlap.
  init(ofImage image: UnsafeRawBufferPointer, path: String) throws(DataError) {
    guard image.count >= 8 else {
      throw DataError.malformed(path, "\(image.count) bytes are too few for a safetensors file; get or save it again")
    }
    let length = image.loadUnaligned(as: UInt64.self).littleEndian
    guard length <= UInt64(SafetensorsFile.longestHeader), Int(length) <= image.count - 8 else {
      throw DataError.malformed(
        path,
        "not a whole safetensors file: a header of \(length) bytes in \(image.count) (at most "
          + "\(SafetensorsFile.longestHeader)); get or save it again")
    }
    let start = 8 + Int(length)
    try self.init(UnsafeRawBufferPointer(rebasing: image[8..<start]), path: path)
    end = start
    var covered = 0
    let ordered = tensors.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound)
    }
    for (name, entry) in ordered {
      guard entry.range.lowerBound == covered else {
        let fault = entry.range.lowerBound < covered ? "overlaps another" : "leaves a gap before it"
        throw DataError.malformed(
          path, "tensor \(name) \(fault) (byte \(entry.range.lowerBound)); get or save it again")
      }
      covered = entry.range.upperBound
    }
    guard covered == image.count - start else {
      throw DataError.malformed(
        path, "its tensors take \(covered) bytes and \(image.count - start) follow the header; get or save it again")
    }
  }

  func fault(_ reason: String) -> DataError {
    DataError.malformed(path, "the safetensors header \(reason) (byte \(position)); get or save the file again")
  }

  private mutating func entry(_ name: String) throws(DataError) -> TensorEntry {
    var type: ScalarType?
    var shape: [Int]?
    var offsets: [Int]?
    try members { (parser, key) throws(DataError) in
      switch key {
      case "dtype" where type == nil:
        let text = try parser.string()
        guard let known = ScalarType(rawValue: text) else {
          throw parser.fault("gives tensor \(name) the unknown type \(text.prefix(16))")
        }
        type = known
      case "shape" where shape == nil: shape = try parser.integers()
      case "data_offsets" where offsets == nil: offsets = try parser.integers()
      default: throw parser.fault("gives tensor \(name) an unknown or second `\(key)`")
      }
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw fault("lacks type, shape or two offsets of tensor \(name)")
    }
    var size = type.size
    for extent in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw fault("gives tensor \(name) an absurd shape") }
      size = product
    }
    guard offsets[0] <= offsets[1], offsets[1] - offsets[0] == size else {
      throw fault("gives tensor \(name) \(offsets[0])...\(offsets[1]) for \(size) bytes")
    }
    return TensorEntry(type: type, shape: Shape(shape), range: offsets[0]..<offsets[1])
  }

  // MARK: - JSON

  private mutating func skip() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
  }

  private mutating func take(_ symbol: Unicode.Scalar) -> Bool {
    skip()
    guard position < bytes.count, bytes[position] == UInt8(ascii: symbol) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ symbol: Unicode.Scalar) throws(DataError) {
    guard take(symbol) else { throw fault("lacks a `\(symbol)`") }
  }

  /// The members of an object, one call each, with the parser behind the colon.
  private mutating func members(
    _ each: (inout SafetensorsHeader, String) throws(DataError) -> Void
  ) throws(DataError) {
    try expect("{")
    if take("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try each(&self, key)
    } while take(",")
    try expect("}")
  }

  private mutating func integers() throws(DataError) -> [Int] {
    try expect("[")
    var numbers: [Int] = []
    if take("]") { return numbers }
    repeat {
      skip()
      let first = position
      var number = 0
      while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
        let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tens.addingReportingOverflow(Int(bytes[position] - 0x30))
        guard !overflow, !carry else { throw fault("holds a number beyond 64 bits") }
        number = sum
        position += 1
      }
      guard position > first, position == first + 1 || bytes[first] != 0x30, numbers.count < 64 else {
        throw fault("holds no list of whole numbers where one belongs")
      }
      numbers.append(number)
    } while take(",")
    try expect("]")
    return numbers
  }

  private mutating func string() throws(DataError) -> String {
    try expect("\"")
    var text: [UInt8] = []
    while true {
      guard position < bytes.count else { throw fault("ends inside a string") }
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else { throw fault("is not UTF-8") }
        return string
      case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
      case 0..<0x20: throw fault("holds a control character in a string")
      default: text.append(byte)
      }
    }
  }

  private mutating func escape() throws(DataError) -> Unicode.Scalar {
    guard position < bytes.count else { throw fault("ends inside a string") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var code = try unit()
      if (0xD800..<0xDC00).contains(code) {
        guard position + 1 < bytes.count, bytes[position] == 0x5C, bytes[position + 1] == 0x75 else {
          throw fault("holds half a surrogate pair")
        }
        position += 2
        let low = try unit()
        guard (0xDC00..<0xE000).contains(low) else { throw fault("holds half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw fault("holds half a surrogate pair") }
      return scalar
    default: throw fault("holds an unknown escape")
    }
  }

  private mutating func unit() throws(DataError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw fault("ends inside a string") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
        throw fault("holds an unknown escape")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  /// A string as JSON.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
