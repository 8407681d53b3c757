import Tensors

/// Signs drawn so that they say in the mean how large scalars are: +1 with probability (1 + clip(x, ±1)) / 2, as TernGrad's and
/// QSGD's one level draw theirs (Wen et al., NeurIPS 2017, equation 3; Alistarh et al., NeurIPS 2017, section 3.1), without the
/// zero.  The mean of many is clip(x, ±1).
///
/// Message: ``SignBits``, ⌈n / 8⌉ bytes.  The bit of a NaN is 0.
public enum StochasticSign {
  /// Draws the signs of scalars, each a function of the key and its place.  Cost: one pass.
  public static func draw(
    _ source: UnsafePointer<Float>, count: Int, key: CompressionKey, into bits: UnsafeMutableRawPointer
  ) {
    let random = RandomWords(key)
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: RandomWords.chunk) { words in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: RandomWords.chunk) { margins in
        guard let words = words.baseAddress, let margins = margins.baseAddress else { return }
        var first = 0
        while first < count {
          random.fill(words, chunk: first / RandomWords.chunk)
          let part = min(RandomWords.chunk, count &- first)
          measure(source + first, words, into: margins, part)
          SignBits.pack(margins, count: part, into: bits + first / 8)
          first &+= RandomWords.chunk
        }
      }
    }
  }

  /// margins ← clip(x, ±1) − (2u − 1), which is never negative for x ≥ 1 and always for x ≤ −1; −1 for a NaN.
  @inline(never)
  private static func measure(
    _ x: UnsafePointer<Float>, _ words: UnsafePointer<UInt32>, into margins: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      // Of (0, 1): odd multiples of 2⁻²⁵.
      let middle = RandomWords.uniform(words[i]) + 0x1p-25
      let value = x[i]
      let upper = value < 1 ? value : 1
      let clipped = upper > -1 ? upper : -1
      margins[i] = value == value ? clipped - (2 * middle - 1) : -1
      i &+= 1
    }
  }
}
