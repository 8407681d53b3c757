import Tensors

/// A random word for each scalar of a message, in chunks that the compiler works out sixteen at a time.
///
/// Scalar i takes word ⌊(i mod 256) / 64⌋ of Philox block 64·⌊i / 256⌋ + i mod 64, so that it depends on key and place alone.
struct RandomWords {
  private let key: (UInt32, UInt32)
  private let worker: (UInt32, UInt32)

  /// Scalars of a chunk.
  static let chunk = 256

  init(_ key: CompressionKey) {
    let mixed = RandomStream.key(seed: key.seed, .compression, epoch: key.step, layer: key.bucket)
    self.key = (UInt32(truncatingIfNeeded: mixed), UInt32(truncatingIfNeeded: mixed >> 32))
    worker = (UInt32(truncatingIfNeeded: key.worker), UInt32(truncatingIfNeeded: key.worker >> 32))
  }

  /// Writes the 256 words of scalars 256·index and following.
  @inline(never)
  func fill(_ words: UnsafeMutablePointer<UInt32>, chunk index: Int) {
    let (key, worker) = (key, worker)
    let first = UInt64(index) &* 64
    let (low, high) = (UInt32(truncatingIfNeeded: first), UInt32(truncatingIfNeeded: first &>> 32))
    var i = 0
    while i < 64 {
      let block = RandomStream.philox(
        key: key, counter: (low | UInt32(truncatingIfNeeded: i), high, worker.0, worker.1))
      words[i] = block.0
      words[i &+ 64] = block.1
      words[i &+ 128] = block.2
      words[i &+ 192] = block.3
      i &+= 1
    }
  }

  /// The number of [0, 1) that a word stands for, a multiple of 2⁻²⁴.
  @inline(__always)
  static func uniform(_ word: UInt32) -> Float { Float(Int32(bitPattern: word &>> 8)) * 0x1p-24 }
}
