import Tensors

/// Finds the k-th largest magnitude of a vector by its bits: counts of the upper 11 of 31, then of the next 10 among those that
/// share the upper ones, then of the last 10.
///
/// Three passes, whatever the values; 32 KiB of counters.  Magnitudes are ordered by their bits without the sign, so NaN comes
/// before infinity.
final class RadixSelection {
  /// Scalars looked at together.
  static let block = 32

  private static let bins = 2048
  private let memory: Storage
  private let counters: UnsafeMutablePointer<UInt32>

  init() {
    memory = Storage(zeros: 4 * RadixSelection.bins)
    counters = UnsafeMutableRawPointer(memory.base).bindMemory(to: UInt32.self, capacity: memory.count)
  }

  /// The bits of the k-th largest of `count` magnitudes, and how many that equal it are among the k largest.  `rank` is k, from
  /// 1 to count.
  func select(_ source: UnsafePointer<Float>, count: Int, rank: Int) -> (threshold: UInt32, ties: Int) {
    precondition(1...count ~= rank && count <= Int(UInt32.max), "magnitude \(rank) of \(count)")
    var rank = rank
    memory.clear()
    RadixSelection.countUpper(source, count, counters)
    var prefix = bin(of: &rank, below: RadixSelection.bins)
    for shift in [10, 0] as [UInt32] {
      memory.clear()
      RadixSelection.countLower(source, count, prefix, shift, counters)
      prefix = prefix << 10 | bin(of: &rank, below: 1024)
    }
    return (prefix, rank)
  }

  /// The bin that holds the scalar of a rank counted from the largest; the rank becomes that within the bin.
  private func bin(of rank: inout Int, below bins: Int) -> UInt32 {
    var bin = bins - 1
    while Int(counters[bin]) < rank {
      rank -= Int(counters[bin])
      bin -= 1
    }
    return UInt32(bin)
  }

  /// Counts the upper bits; four tables, since neighbours often fall in one bin and a counter takes time to settle.
  @inline(never)
  private static func countUpper(
    _ source: UnsafePointer<Float>, _ count: Int, _ counters: UnsafeMutablePointer<UInt32>
  ) {
    var i = 0
    while i &+ 4 <= count {
      for table in 0..<4 {
        let magnitude = source[i &+ table].bitPattern & 0x7FFF_FFFF
        counters[table &* bins &+ Int(magnitude &>> 20)] &+= 1
      }
      i &+= 4
    }
    while i < count {
      counters[Int((source[i].bitPattern & 0x7FFF_FFFF) &>> 20)] &+= 1
      i &+= 1
    }
    for bin in 0..<bins {
      counters[bin] &+= counters[bins + bin] &+ counters[2 * bins + bin] &+ counters[3 * bins + bin]
    }
  }

  /// Counts the ten bits from `shift` on of those magnitudes whose bits above are `prefix`.
  @inline(never)
  private static func countLower(
    _ source: UnsafePointer<Float>, _ count: Int, _ prefix: UInt32, _ shift: UInt32,
    _ counters: UnsafeMutablePointer<UInt32>
  ) {
    var first = 0
    while first < count {
      let end = min(first &+ block, count)
      var found: UInt32 = 0
      var i = first
      while i < end {
        found |= (source[i].bitPattern & 0x7FFF_FFFF) &>> (shift &+ 10) == prefix ? 1 : 0
        i &+= 1
      }
      if found != 0 {
        i = first
        while i < end {
          let magnitude = (source[i].bitPattern & 0x7FFF_FFFF) &>> shift
          if magnitude &>> 10 == prefix { counters[Int(magnitude & 1023)] &+= 1 }
          i &+= 1
        }
      }
      first = end
    }
  }

  /// The bits of the largest magnitude of a range.
  @inline(__always)
  static func largest(_ source: UnsafePointer<Float>, _ first: Int, _ end: Int) -> UInt32 {
    var largest: UInt32 = 0
    var i = first
    while i < end {
      largest = max(largest, source[i].bitPattern & 0x7FFF_FFFF)
      i &+= 1
    }
    return largest
  }
}
