import CSodium

/// PRG of a key: the stream of ChaCha20 as little-endian 64-bit words, added to a vector or taken from it modulo 2⁶⁴.
///
/// Each key is used for one stream, so that the nonce is 0; the block counter has 64 bits.  The stream is made in pieces that
/// stay in the cache: no second vector.
package final class MaskStream {
  /// Words of a piece: 16 KiB.
  private static let pieceWords = 2048
  private static let blockBytes = 64

  private let zeros: UnsafeMutablePointer<UInt8>
  private let piece: UnsafeMutablePointer<UInt8>

  package init() {
    NetworkLibraries.begin()
    let bytes = 8 * MaskStream.pieceWords
    (zeros, piece) = (.allocate(capacity: bytes), .allocate(capacity: bytes))
    zeros.initialize(repeating: 0, count: bytes)
    piece.initialize(repeating: 0, count: bytes)
  }

  deinit {
    sodium_memzero(piece, 8 * MaskStream.pieceWords)
    zeros.deallocate()
    piece.deallocate()
  }

  /// words ← words ± PRG(key).
  package func apply(_ key: Secret, to words: UnsafeMutableBufferPointer<UInt64>, subtracting: Bool = false) {
    precondition(key.count == Secret.bytes, "a key of \(key.count) bytes")
    guard let target = words.baseAddress else { return }
    let nonce = [UInt8](repeating: 0, count: Int(crypto_stream_chacha20_NONCEBYTES))
    var start = 0
    while start < words.count {
      let count = min(MaskStream.pieceWords, words.count - start)
      let block = UInt64(8 * start / MaskStream.blockBytes)
      let result = key.withBytes {
        crypto_stream_chacha20_xor_ic(piece, zeros, UInt64(8 * count), nonce, block, $0)
      }
      precondition(result == 0, "libsodium makes no stream")
      let stream = UnsafeRawPointer(piece)
      if subtracting {
        MaskStream.subtract(stream, from: target + start, count: count)
      } else {
        MaskStream.add(stream, to: target + start, count: count)
      }
      start += count
    }
  }

  @inline(never)
  private static func add(_ stream: UnsafeRawPointer, to target: UnsafeMutablePointer<UInt64>, count: Int) {
    var i = 0
    while i < count {
      target[i] = target[i] &+ UInt64(littleEndian: stream.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self))
      i &+= 1
    }
  }

  @inline(never)
  private static func subtract(_ stream: UnsafeRawPointer, from target: UnsafeMutablePointer<UInt64>, count: Int) {
    var i = 0
    while i < count {
      target[i] = target[i] &- UInt64(littleEndian: stream.loadUnaligned(fromByteOffset: i &* 8, as: UInt64.self))
      i &+= 1
    }
  }
}
