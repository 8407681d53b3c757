/// The upper half of a Float32: its range, and eight bits of precision.
package struct BFloat16: BitwiseCopyable, Sendable {
  var bits: UInt16

  /// The nearest one, the even one of two; what is not a number stays so.
  @inline(__always)
  init(_ x: Float) {
    let bits = x.bitPattern
    let rounded = bits &+ 0x7FFF &+ (bits &>> 16 & 1)
    self.bits = UInt16(truncatingIfNeeded: (x != x ? bits | 0x40_0000 : rounded) &>> 16)
  }

  /// The same number.
  var float: Float { Float(bitPattern: UInt32(bits) &<< 16) }
}
