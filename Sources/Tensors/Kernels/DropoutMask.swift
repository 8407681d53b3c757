/// Which scalars of a sample dropout keeps: a function of the layer's key, the sample's key and the place in the sample.
enum DropoutMask {
  /// Writes one byte a scalar, 1 where it is kept, four to a 32-bit word: scalar 4b + w of the sample is word w of Philox
  /// block b and is kept if that is at least `threshold`.
  @inline(never)
  static func fill(
    _ mask: UnsafeMutablePointer<UInt32>, blocks: Int, key: UInt64, sample: UInt64, threshold: UInt32
  ) {
    let layer = (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key &>> 32))
    let (low, high) = (UInt32(truncatingIfNeeded: sample), UInt32(truncatingIfNeeded: sample &>> 32))
    var block = 0
    while block < blocks {
      let words = RandomStream.philox(key: layer, counter: (UInt32(truncatingIfNeeded: block), 0, low, high))
      var kept: UInt32 = words.0 >= threshold ? 1 : 0
      kept |= words.1 >= threshold ? 0x100 : 0
      kept |= words.2 >= threshold ? 0x1_0000 : 0
      kept |= words.3 >= threshold ? 0x100_0000 : 0
      mask[block] = kept
      block &+= 1
    }
  }

  /// y = x · mask · scale; y may be x.  What is dropped is multiplied by 0, so that NaN and infinities show.
  @inline(never)
  static func apply(
    _ mask: UnsafePointer<UInt8>, scale: Float, to x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    if x == UnsafePointer(y) {
      while i < count {
        y[i] *= Float(mask[i]) * scale
        i &+= 1
      }
    } else {
      while i < count {
        y[i] = x[i] * (Float(mask[i]) * scale)
        i &+= 1
      }
    }
  }
}
