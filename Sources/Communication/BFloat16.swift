/// The upper half of a Float: its range, and eight bits of precision. Sums are formed in Float and rounded.
public struct BFloat16: Communicable {
  /// Sign, eight bits of exponent, seven of fraction.
  public var bits: UInt16

  /// The number with these bits.
  @inlinable
  public init(bits: UInt16) { self.bits = bits }

  /// The nearest one, the even one of two; what is not a number stays so.
  @inlinable
  public init(_ value: Float) {
    let bits = value.bitPattern
    let rounded = bits &+ 0x7FFF &+ (bits &>> 16 & 1)
    self.bits = UInt16(truncatingIfNeeded: (value != value ? bits | 0x40_0000 : rounded) &>> 16)
  }

  /// The same number.
  @inlinable
  public var float: Float { Float(bitPattern: UInt32(bits) &<< 16) }

  /// Two bytes, the upper half of a Float.
  public static var elementType: ElementType { .bfloat16 }
}
