/// What drawing a cohort needs for a while: the places of a shuffle that no longer hold their own number.
///
/// A hash table with linear probing; its memory grows to the most ever drawn and is used again.  Belongs to one thread at
/// a time.
public final class CohortScratch {
  /// A place in the upper half, its number in the lower; `empty` where there is neither.
  private var cells: UnsafeMutableBufferPointer<UInt64>
  /// Where cells move to when they become too few.
  private var other: UnsafeMutableBufferPointer<UInt64>
  private var mask: Int
  private var used = 0

  private static let empty = UInt64.max

  /// Scratch that has grown to nothing yet.
  public init() {
    cells = .allocate(capacity: 64)
    cells.initialize(repeating: CohortScratch.empty)
    mask = 63
    other = .allocate(capacity: 0)
  }

  deinit {
    cells.deallocate()
    other.deallocate()
  }

  /// Forgets everything, with room for about so many places.
  func clear(expecting count: Int) {
    var capacity = 64
    while capacity < 2 * count { capacity *= 2 }
    reset(&cells, capacity)
    used = 0
  }

  /// The number at a place: its own unless another was put there.
  @inline(__always)
  func number(at place: UInt32) -> UInt32 {
    let cell = cells[index(of: place)]
    return cell == CohortScratch.empty ? place : UInt32(truncatingIfNeeded: cell)
  }

  /// Puts a number at a place.
  @inline(__always)
  func put(_ number: UInt32, at place: UInt32) {
    if 2 * used > mask { grow() }
    let index = index(of: place)
    if cells[index] == CohortScratch.empty { used += 1 }
    cells[index] = UInt64(place) << 32 | UInt64(number)
  }

  /// The cell of a place, or the empty one where it would be.
  @inline(__always)
  private func index(of place: UInt32) -> Int {
    // Fibonacci hashing: the product's upper bits are well mixed.
    var index = Int(truncatingIfNeeded: (UInt64(place) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while case let cell = cells[index], cell != CohortScratch.empty, cell >> 32 != UInt64(place) {
      index = (index &+ 1) & mask
    }
    return index
  }

  private func grow() {
    let count = mask + 1
    reset(&other, 2 * count)
    swap(&cells, &other)
    for cell in other[..<count] where cell != CohortScratch.empty {
      cells[index(of: UInt32(truncatingIfNeeded: cell >> 32))] = cell
    }
  }

  /// Makes so many cells empty, which then are those in use.
  private func reset(_ cells: inout UnsafeMutableBufferPointer<UInt64>, _ capacity: Int) {
    if capacity > cells.count {
      cells.deallocate()
      cells = .allocate(capacity: capacity)
    }
    UnsafeMutableBufferPointer(rebasing: cells[..<capacity]).initialize(repeating: CohortScratch.empty)
    mask = capacity - 1
  }
}
