import Tensors

/// Which scalars of the flat store are kept: a bit each.  Parameters of one axis (biases, normalisation) are never pruned.
public struct PruningMask: Sendable, Hashable {
  /// Bit i mod 64 of word ⌊i / 64⌋ is 1 where scalar i is kept; the bits after the last are 0.
  public private(set) var words: [UInt64]
  /// Scalars of the store.
  public let count: Int
  /// Ranges of the parameters that may be pruned, in order.
  public let prunable: [Range<Int>]

  /// Everything kept.
  public init(_ layout: ParameterLayout) {
    count = layout.parameterCount
    words = (0..<(count + 63) / 64).map { [count] word in
      let left = count - 64 * word
      return left >= 64 ? .max : (1 << UInt64(left)) - 1
    }
    prunable = layout.parameters.filter { $0.shape.rank > 1 }.map(\.range)
  }

  /// Whether a scalar is kept.
  public subscript(index: Int) -> Bool {
    get { words[index >> 6] >> UInt64(index & 63) & 1 == 1 }
    set {
      let bit = UInt64(1) << UInt64(index & 63)
      words[index >> 6] = newValue ? words[index >> 6] | bit : words[index >> 6] & ~bit
    }
  }

  /// N: scalars that may be pruned.
  public var prunableCount: Int { prunable.reduce(0) { $0 + $1.count } }

  /// k: prunable scalars that are kept.
  public var keptCount: Int { prunable.reduce(0) { $0 + keptCount(in: $1) } }

  /// Scalars of a range that are kept.
  public func keptCount(in range: Range<Int>) -> Int {
    var kept = 0
    var i = range.lowerBound
    while i < range.upperBound {
      if i & 63 == 0, i + 64 <= range.upperBound {
        kept += words[i >> 6].nonzeroBitCount
        i += 64
      } else {
        kept += self[i] ? 1 : 0
        i += 1
      }
    }
    return kept
  }

  /// Bytes of the mask where it is sent: a bit for each prunable scalar.
  public var byteCount: Int { (prunableCount + 7) / 8 }

  /// A number that differs where masks do, for comparing runs; not cryptographic.
  public var digest: UInt64 { words.reduce(RandomStream.mix(UInt64(count))) { RandomStream.mix($0 ^ $1) } }

  /// The prunable scalars that are kept, in order: where the entries of a vector of ``keptCount`` scalars belong.
  public func keptIndices() -> [Int32] {
    precondition(count <= Int(Int32.max), "a mask of \(count) scalars")
    var indices: [Int32] = []
    indices.reserveCapacity(keptCount)
    for range in prunable {
      for i in range where self[i] { indices.append(Int32(i)) }
    }
    return indices
  }

  /// Sets what is not kept to zero.  Cost: one pass.
  public func apply(to scalars: UnsafeMutablePointer<Float>) {
    for (index, word) in words.enumerated() where word != .max {
      let first = scalars + 64 * index
      for bit in 0..<min(64, count - 64 * index) where word >> UInt64(bit) & 1 == 0 { first[bit] = 0 }
    }
  }
}
