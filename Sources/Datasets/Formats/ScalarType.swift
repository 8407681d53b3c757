/// The number types that array files hold.
public enum ScalarType: String, Sendable, Hashable, CaseIterable {
  /// IEEE 754 and bfloat16 numbers, integers in two's complement, and truth values of one byte.
  case float64 = "F64"
  case float32 = "F32"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int64 = "I64"
  case int32 = "I32"
  case int16 = "I16"
  case int8 = "I8"
  case uint64 = "U64"
  case uint32 = "U32"
  case uint16 = "U16"
  case uint8 = "U8"
  case bool = "BOOL"

  /// Bytes a scalar takes.
  public var size: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .int8, .uint8, .bool: 1
    }
  }

  /// Whether its values are whole numbers.
  public var isInteger: Bool {
    switch self {
    case .float64, .float32, .float16, .bfloat16: false
    default: true
    }
  }

  /// Writes `count` little-endian scalars at `source`, at any alignment, as Float32, rounding to nearest.
  func decode(_ source: UnsafeRawPointer, count: Int, into output: UnsafeMutablePointer<Float>) {
    switch self {
    case .float32: UnsafeMutableRawPointer(output).copyMemory(from: source, byteCount: 4 * count)
    case .float64: convert(source, count, output, Double.self) { Float($0) }
    case .float16: convert(source, count, output, UInt16.self) { ScalarType.float(half: $0) }
    case .bfloat16: convert(source, count, output, UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
    case .int64: convert(source, count, output, Int64.self) { Float($0) }
    case .int32: convert(source, count, output, Int32.self) { Float($0) }
    case .int16: convert(source, count, output, Int16.self) { Float($0) }
    case .int8: convert(source, count, output, Int8.self) { Float($0) }
    case .uint64: convert(source, count, output, UInt64.self) { Float($0) }
    case .uint32: convert(source, count, output, UInt32.self) { Float($0) }
    case .uint16: convert(source, count, output, UInt16.self) { Float($0) }
    case .uint8: convert(source, count, output, UInt8.self) { Float($0) }
    case .bool: convert(source, count, output, UInt8.self) { $0 == 0 ? 0 : 1 }
    }
  }

  /// Writes `count` whole numbers as Int32; false when the type holds no whole numbers or one does not fit.
  func decode(_ source: UnsafeRawPointer, count: Int, into output: UnsafeMutablePointer<Int32>) -> Bool {
    switch self {
    case .int64: exact(source, count, output, Int64.self)
    case .int32: exact(source, count, output, Int32.self)
    case .int16: exact(source, count, output, Int16.self)
    case .int8: exact(source, count, output, Int8.self)
    case .uint64: exact(source, count, output, UInt64.self)
    case .uint32: exact(source, count, output, UInt32.self)
    case .uint16: exact(source, count, output, UInt16.self)
    case .uint8, .bool: exact(source, count, output, UInt8.self)
    case .float64, .float32, .float16, .bfloat16: false
    }
  }

  @inline(__always)
  private func convert<Scalar: BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ count: Int, _ output: UnsafeMutablePointer<Float>, _ type: Scalar.Type,
    _ value: (Scalar) -> Float
  ) {
    var i = 0
    while i < count {
      output[i] = value(source.loadUnaligned(fromByteOffset: i &* MemoryLayout<Scalar>.stride, as: Scalar.self))
      i &+= 1
    }
  }

  @inline(__always)
  private func exact<Scalar: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ count: Int, _ output: UnsafeMutablePointer<Int32>, _ type: Scalar.Type
  ) -> Bool {
    for i in 0..<count {
      let value = source.loadUnaligned(fromByteOffset: i &* MemoryLayout<Scalar>.stride, as: Scalar.self)
      guard let small = Int32(exactly: value) else { return false }
      output[i] = small
    }
    return true
  }

  /// An IEEE 754 binary16 number, exactly.
  static func float(half bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits & 0x3FF)
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      return sign == 0 ? magnitude : -magnitude
    case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
