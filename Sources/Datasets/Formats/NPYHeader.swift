/// The Python dictionary of an `.npy` header: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct NPYHeader {
  private let text: [UInt8]
  private let path: String
  private var position = 0

  init(_ text: String, path: String) {
    self.text = Array(text.utf8)
    self.path = path
  }

  /// What NumPy calls a type.
  static func name(_ type: ScalarType) -> String {
    switch type {
    case .float64: "<f8"
    case .float32: "<f4"
    case .float16: "<f2"
    case .int64: "<i8"
    case .int32: "<i4"
    case .int16: "<i2"
    case .int8: "|i1"
    case .uint64: "<u8"
    case .uint32: "<u4"
    case .uint16, .bfloat16: "<u2"
    case .uint8: "|u1"
    case .bool: "|b1"
    }
  }

  private static let types: [String: ScalarType] = {
    var types: [String: ScalarType] = [:]
    for type in ScalarType.allCases where type != .bfloat16 {
      let name = NPYHeader.name(type)
      types[name] = type
      types["=" + name.dropFirst()] = type
      if type.size == 1 { types["<" + name.dropFirst()] = type }
    }
    return types
  }()

  /// Type, order and shape; every key once and nothing else.
  mutating func parse() throws(DataError) -> (type: ScalarType, fortran: Bool, shape: [Int]) {
    var type: ScalarType?
    var fortran: Bool?
    var shape: [Int]?
    try expect("{")
    while !take("}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where type == nil:
        guard peek("'") || peek("\"") else { throw fault("records are not taken; save plain arrays") }
        let name = try string()
        guard let known = NPYHeader.types[name] else {
          throw fault("type '\(name.prefix(16))' is not taken; save float32, int64 or another little-endian number")
        }
        type = known
      case "fortran_order" where fortran == nil:
        if word("True") { fortran = true } else if word("False") { fortran = false } else { throw fault() }
      case "shape" where shape == nil: shape = try tuple()
      default: throw fault()
      }
      if !take(",") {
        try expect("}")
        break
      }
    }
    skip()
    guard position == text.count, let type, let fortran, let shape else { throw fault() }
    return (type, fortran, shape)
  }

  private func fault(_ reason: String = "its header is not the dictionary NumPy writes; get the file again")
    -> DataError
  {
    DataError.malformed(path, reason)
  }

  private mutating func skip() {
    while position < text.count, [0x20, 0x0A, 0x09].contains(text[position]) { position += 1 }
  }

  private mutating func peek(_ symbol: Unicode.Scalar) -> Bool {
    skip()
    return position < text.count && text[position] == UInt8(ascii: symbol)
  }

  private mutating func take(_ symbol: Unicode.Scalar) -> Bool {
    guard peek(symbol) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ symbol: Unicode.Scalar) throws(DataError) {
    guard take(symbol) else { throw fault() }
  }

  private mutating func word(_ word: String) -> Bool {
    skip()
    guard text[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func string() throws(DataError) -> String {
    skip()
    guard position < text.count, text[position] == 0x27 || text[position] == 0x22 else { throw fault() }
    let quote = text[position]
    guard let end = text[(position + 1)...].firstIndex(of: quote) else { throw fault() }
    defer { position = end + 1 }
    return String(decoding: text[(position + 1)..<end], as: UTF8.self)
  }

  private mutating func tuple() throws(DataError) -> [Int] {
    try expect("(")
    var extents: [Int] = []
    while !take(")") {
      skip()
      var extent = 0
      let first = position
      while position < text.count, (0x30...0x39).contains(text[position]) {
        let (tens, overflow) = extent.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tens.addingReportingOverflow(Int(text[position] - 0x30))
        guard !overflow, !carry else { throw fault("absurd shape; get the file again") }
        extent = sum
        position += 1
      }
      guard position > first, extents.count < 32 else { throw fault() }
      extents.append(extent)
      if !take(",") {
        try expect(")")
        break
      }
    }
    return extents
  }
}
