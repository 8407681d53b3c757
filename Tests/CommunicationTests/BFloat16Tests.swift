import Communication
import Testing

@Suite("BFloat16 is Float's upper half, rounded to nearest even")
struct BFloat16Tests {
  @Test(
    "a number becomes its nearest neighbour, of two the even one",
    arguments: [
      (1, 0x3F80), (-2, 0xC000), (0, 0), (-0.0, 0x8000),
      (1 + 0x1p-8, 0x3F80), (1 + 0x1p-8 + 0x1p-20, 0x3F81), (1 + 3 * 0x1p-8, 0x3F82),
      (.infinity, 0x7F80), (-.infinity, 0xFF80), (.greatestFiniteMagnitude, 0x7F80), (0x1p-149, 0),
    ] as [(Float, UInt16)])
  func rounding(value: Float, bits: UInt16) {
    #expect(BFloat16(value).bits == bits)
  }

  @Test("what is not a number stays so, whatever its lower half")
  func notANumber() {
    for bits: UInt32 in [0x7F80_0001, 0x7FC0_0000, 0xFF80_0001, 0x7FFF_FFFF, 0xFFFF_FFFF] {
      #expect(BFloat16(Float(bitPattern: bits)).float.isNaN)
    }
  }

  @Test("every value is itself again")
  func identity() {
    for bits in UInt16.min...UInt16.max {
      let value = BFloat16(bits: bits).float
      if !value.isNaN && BFloat16(value).bits != bits { Issue.record("\(value) became \(BFloat16(value).float)") }
    }
  }
}
