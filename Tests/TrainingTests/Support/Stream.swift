/// Numbers that Swift and Python make alike from a name, so that a trace need not store its weights and batches
/// (`Tests/Fixtures/README.md`).
struct Stream {
  private let start: UInt64

  init(_ name: String) {
    start = name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// The 24 bits at a place.
  subscript(index: Int) -> Int {
    Int(Stream.splitmix64(start &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15) >> 40)
  }

  static func splitmix64(_ x: UInt64) -> UInt64 {
    var z = x &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number of ±bound: one rounding.
  func symmetric(_ index: Int, bound: Float) -> Float {
    Float(2 * self[index] - (1 << 24)) / Float(1 << 24) * bound
  }

  /// A class of 0 ..< count.
  func whole(_ index: Int, below count: Int) -> Int32 { Int32((self[index] * count) >> 24) }
}
