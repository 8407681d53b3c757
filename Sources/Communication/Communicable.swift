/// A number type that ranks can exchange and reduce.
public enum ElementType: UInt8, Sendable, CaseIterable {
  case float, double, uint8, int8, int16, int32, int64, bfloat16

  /// Bytes of one element.
  public var stride: Int {
    switch self {
    case .uint8, .int8: 1
    case .int16, .bfloat16: 2
    case .float, .int32: 4
    case .double, .int64: 8
    }
  }

  /// The type's name in Swift, for messages.
  public var name: String {
    switch self {
    case .float: "Float"
    case .double: "Double"
    case .uint8: "UInt8"
    case .int8: "Int8"
    case .int16: "Int16"
    case .int32: "Int32"
    case .int64: "Int64"
    case .bfloat16: "BFloat16"
    }
  }
}

/// A Swift type whose buffers can be given to a `Communicator`.
public protocol Communicable: BitwiseCopyable, Sendable {
  /// The same type as a value, which survives the erasure of generics.
  static var elementType: ElementType { get }
}

extension Float: Communicable {
  /// Four bytes, IEEE 754.
  public static var elementType: ElementType { .float }
}

extension Double: Communicable {
  /// Eight bytes, IEEE 754.
  public static var elementType: ElementType { .double }
}

extension UInt8: Communicable {
  /// One byte.
  public static var elementType: ElementType { .uint8 }
}

extension Int8: Communicable {
  /// One byte.
  public static var elementType: ElementType { .int8 }
}

extension Int16: Communicable {
  /// Two bytes.
  public static var elementType: ElementType { .int16 }
}

extension Int32: Communicable {
  /// Four bytes.
  public static var elementType: ElementType { .int32 }
}

extension Int64: Communicable {
  /// Eight bytes.
  public static var elementType: ElementType { .int64 }
}
