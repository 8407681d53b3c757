/// The first frame of every message: 40 bytes, little-endian.
///
/// | bytes | content |
/// | --- | --- |
/// | 0–3 | `NNDW` |
/// | 4–5 | version of the wire, 1 |
/// | 6–7 | kind |
/// | 8–15 | session of the server, 0 before it is known |
/// | 16–23 | round, counted from 0, or the version of an asynchronous server's model, or all ones for the task |
/// | 24–31 | offset of a piece, in bytes |
/// | 32–39 | bytes of the whole, or how far pieces are asked for |
package struct Header: Hashable, Sendable {
  /// What a message is about; the numbers are those of the wire.
  package enum Kind: UInt16, CaseIterable, Sendable {
    // From clients.
    case hello = 1
    case ready, fetch, offer, piece, decline, alive, leave, share
    // From the server.
    case welcome = 65
    case order, data, grant, verdict, refuse, finished, relay, cancel
  }

  package static let byteCount = 40
  static let version: UInt16 = 1
  /// The round of pieces of the task.
  static let task = UInt64.max
  private static let magic: [UInt8] = Array("NNDW".utf8)

  package var kind: Kind
  package var session: UInt64 = 0
  package var round: UInt64 = 0
  package var offset: UInt64 = 0
  package var total: UInt64 = 0

  package init(_ kind: Kind, session: UInt64 = 0, round: UInt64 = 0, offset: UInt64 = 0, total: UInt64 = 0) {
    self.kind = kind
    self.session = session
    self.round = round
    self.offset = offset
    self.total = total
  }

  /// Reads a frame; nil for what is none of this version.
  package init?(_ frame: UnsafeRawBufferPointer) {
    guard frame.count == Header.byteCount, frame.prefix(4).elementsEqual(Header.magic),
      frame.loadUnaligned(fromByteOffset: 4, as: UInt16.self).littleEndian == Header.version,
      let kind = Kind(rawValue: frame.loadUnaligned(fromByteOffset: 6, as: UInt16.self).littleEndian)
    else { return nil }
    func word(_ offset: Int) -> UInt64 { frame.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian }
    self.init(kind, session: word(8), round: word(16), offset: word(24), total: word(32))
  }

  /// The frame.
  var frame: Frame { Frame(copying: bytes) }

  /// What the frame holds.
  package var bytes: [UInt8] {
    var bytes = Header.magic
    bytes.reserveCapacity(Header.byteCount)
    for number in [Header.version, kind.rawValue] { bytes += [UInt8(truncatingIfNeeded: number), UInt8(number >> 8)] }
    for word in [session, round, offset, total] {
      for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
    return bytes
  }
}
