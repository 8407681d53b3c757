import FederatedNetwork
import Testing

@Suite("Messages of the wire") struct WireTests {
  static let sample = Header(.piece, session: 0x0123_4567_89AB_CDEF, round: 7, offset: 1 << 40, total: .max)

  @Test("a header is 40 bytes as documented, and comes back") func header() {
    let bytes = Self.sample.bytes
    #expect(bytes.count == Header.byteCount && bytes.count == 40)
    #expect(Array(bytes[0..<8]) == Array("NNDW".utf8) + [1, 0, 5, 0])
    #expect(Array(bytes[8..<16]) == [0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01])
    #expect(
      Array(bytes[16..<24]) == [7, 0, 0, 0, 0, 0, 0, 0] && Array(bytes[32..<40]) == Array(repeating: 255, count: 8))
    for kind in Header.Kind.allCases {
      let header = Header(kind, session: 1, round: 2, offset: 3, total: 4)
      #expect(header.bytes.withUnsafeBytes { Header($0) } == header)
    }
  }

  @Test("no other length, version, magic or kind is a header") func foreign() {
    let good = Self.sample.bytes
    for count in 0..<good.count { #expect(good.prefix(count).withUnsafeBytes { Header($0) } == nil) }
    #expect((good + [0]).withUnsafeBytes { Header($0) } == nil)
    for place in 0..<6 {
      var bad = good
      bad[place] ^= 1
      #expect(bad.withUnsafeBytes { Header($0) } == nil, "byte \(place)")
    }
    let known = Set(Header.Kind.allCases.map(\.rawValue))
    for number in UInt16(0)..<300 {
      var other = good
      (other[6], other[7]) = (UInt8(truncatingIfNeeded: number), UInt8(number >> 8))
      #expect((other.withUnsafeBytes { Header($0) } == nil) == !known.contains(number), "kind \(number)")
    }
  }

  @Test(
    "pieces in order make the whole; others change nothing",
    arguments: [1, 5, Pieces.bytes, Pieces.bytes + 1, 3 * Pieces.bytes])
  func assembly(total: Int) {
    let whole = (0..<total).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 9) }
    var spare: Assembly?
    for round in 0..<2 {
      let assembly = Assembly.make(total: total, from: &spare)
      var offset = 0
      while offset < total {
        let piece = Pieces.next(from: offset, of: total)
        let bytes = Array(whole[piece])
        bytes.withUnsafeBytes { bytes in
          // Twice, out of order, and beyond the whole.
          #expect(!assembly.add(bytes, at: UInt64(offset) + 1))
          #expect(!assembly.add(bytes, at: .max))
          #expect(assembly.add(bytes, at: UInt64(offset)))
          #expect(!assembly.add(bytes, at: UInt64(offset)))
        }
        offset = piece.upperBound
        #expect(assembly.received == offset && assembly.isWhole == (offset == total))
      }
      [UInt8(1)].withUnsafeBytes { #expect(!assembly.add($0, at: UInt64(total))) }
      #expect(!assembly.add(UnsafeRawBufferPointer(start: nil, count: 0), at: UInt64(total)))
      withExtendedLifetime(assembly) { #expect(assembly.bytes.elementsEqual(whole), "round \(round)") }
      spare = assembly
    }
  }
}
