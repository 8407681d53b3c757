/// What a random number is for.  Streams of different purposes never overlap.
public enum RandomPurpose: UInt64, Sendable {
  case initialisation = 1
  case shuffle, split, augmentation, dropout, partition, selection, compression, noise, test, label, episode
}

/// A stream of random numbers that is a pure function of its key, so that no rank, thread or order matters.
///
/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011): the key is mixed from seed, purpose, epoch and layer; the counter
/// holds the sample and the position in the stream.
public struct RandomStream: RandomNumberGenerator, Sendable {
  private let key: (UInt32, UInt32)
  private let lane: UInt64
  private var block: UInt64 = 0
  private var words: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  private var left = 0

  /// The stream of a seed and purpose, and of what else tells streams apart: the epoch or round, the sample or client,
  /// the layer or parameter.
  public init(seed: UInt64, _ purpose: RandomPurpose, epoch: UInt64 = 0, sample: UInt64 = 0, layer: UInt64 = 0) {
    let mixed = RandomStream.key(seed: seed, purpose, epoch: epoch, layer: layer)
    key = (UInt32(truncatingIfNeeded: mixed), UInt32(truncatingIfNeeded: mixed >> 32))
    lane = sample
  }

  /// The 64-bit Philox key of a stream family; samples tell streams of one family apart.
  public static func key(seed: UInt64, _ purpose: RandomPurpose, epoch: UInt64 = 0, layer: UInt64 = 0) -> UInt64 {
    var mixed = mix(seed)
    mixed = mix(mixed ^ purpose.rawValue)
    mixed = mix(mixed ^ epoch)
    return mix(mixed ^ layer)
  }

  /// The finaliser of SplitMix64 (Steele, Lea, Flood 2014), with its increment.
  @inline(__always)
  public static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Ten rounds of Philox4x32 over one counter.
  @inlinable @inline(__always)
  public static func philox(
    key: (UInt32, UInt32), counter: (UInt32, UInt32, UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var k = key
    var c = counter
    for _ in 0..<10 {
      let a = UInt64(0xD251_1F53) &* UInt64(c.0)
      let b = UInt64(0xCD9E_8D57) &* UInt64(c.2)
      c = (
        UInt32(truncatingIfNeeded: b >> 32) ^ c.1 ^ k.0, UInt32(truncatingIfNeeded: b),
        UInt32(truncatingIfNeeded: a >> 32) ^ c.3 ^ k.1, UInt32(truncatingIfNeeded: a)
      )
      k.0 = k.0 &+ 0x9E37_79B9
      k.1 = k.1 &+ 0xBB67_AE85
    }
    return c
  }

  /// The next 32 random bits.
  public mutating func nextWord() -> UInt32 {
    if left == 0 {
      words = RandomStream.philox(
        key: key,
        counter: (
          UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32),
          UInt32(truncatingIfNeeded: lane), UInt32(truncatingIfNeeded: lane >> 32)
        ))
      block &+= 1
      left = 4
    }
    let word = words.0
    words = (words.1, words.2, words.3, word)
    left -= 1
    return word
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 { UInt64(nextWord()) | UInt64(nextWord()) << 32 }

  /// A number of [0, 1) with 24 random bits.
  public mutating func uniform() -> Float { Float(nextWord() >> 8) * 0x1p-24 }

  /// A number of [0, 1) with 53 random bits.
  public mutating func uniformDouble() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// An integer of 0..<bound without bias (Lemire 2019).
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "a random integer below \(bound)")
    let limit = UInt64(bound)
    var product = next().multipliedFullWidth(by: limit)
    if product.low < limit {
      let threshold = (0 &- limit) % limit
      while product.low < threshold { product = next().multipliedFullWidth(by: limit) }
    }
    return Int(product.high)
  }
}
