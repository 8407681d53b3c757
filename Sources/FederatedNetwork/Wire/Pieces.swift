/// How whole payloads are cut: pieces of this size, and so many may be on their way to a peer.
package enum Pieces {
  /// Bytes of a piece.
  package static let bytes = 512 << 10
  /// Bytes that may be on their way.
  package static let window = 4 * bytes
  /// The largest message that is taken: a piece, or a body.
  static let largestMessage = bytes + 1024

  /// The next piece of a whole from an offset.
  package static func next(from offset: Int, of total: Int) -> Range<Int> { offset..<min(total, offset + bytes) }
}

/// A payload that comes in pieces, in order; what was received stays when a connection breaks.
///
/// Memory that nobody has written to is none: a peer that announces much and sends nothing costs nothing.
package final class Assembly {
  /// Bytes of the whole.
  package private(set) var total: Int
  /// Bytes that have come.
  package private(set) var received = 0
  private var memory: UnsafeMutableRawBufferPointer

  /// Room for so many bytes.
  package init(total: Int) {
    self.total = total
    memory = .allocate(byteCount: total, alignment: 64)
  }

  /// The room of another one that is done, where it suffices: fresh memory is cleared by the system, which takes as long as
  /// copying.
  package static func make(total: Int, from spare: inout Assembly?) -> Assembly {
    guard let known = spare, known.memory.count >= total else { return Assembly(total: total) }
    spare = nil
    (known.total, known.received) = (total, 0)
    return known
  }

  deinit { memory.deallocate() }

  package var isWhole: Bool { received == total }

  /// What has come; valid as long as this lives, until the next piece.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<received]) }

  /// Adds a piece.  False for one that does not follow on what has come, or goes beyond the whole.
  package func add(_ piece: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
    guard offset == UInt64(received), piece.count > 0, piece.count <= total - received else { return false }
    UnsafeMutableRawBufferPointer(rebasing: memory[received...]).copyMemory(from: piece)
    received += piece.count
    return true
  }
}
