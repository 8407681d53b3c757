/// What quantisers do to a chunk of 256 scalars.
enum Chunks {
  /// Memory on the stack for the random words and the codes of a chunk.
  @inline(__always)
  static func withScratch(_ body: (UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<UInt8>) -> Void) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: RandomWords.chunk) { words in
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: RandomWords.chunk) { codes in
        body(words.baseAddress!, codes.baseAddress!)
      }
    }
  }

  /// target ← target + unit · (code − zero); a unit that is not finite makes NaN of every scalar with code `zero` as well.
  @inline(never)
  static func add(
    _ codes: UnsafePointer<UInt8>, zero: Float, unit: Float, to target: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      target[i] += unit * (Float(codes[i]) - zero)
      i &+= 1
    }
  }
}
