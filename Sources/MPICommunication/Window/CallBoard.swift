import Communication
import Synchronization

/// What one rank shows the others of its calls, laid out in its segment of the group's window.
///
/// Calls are numbered; call n uses entry n modulo `depth` of everything here. An entry's line begins with two counters that
/// only grow: `posted`, up to which round of which call this rank's values can be read, and `done`, up to which round it has
/// read and written what is its share of the others'. Everything else in an entry is written before `posted` says so, and
/// not again before every rank has left the call that used it.
struct CallBoard {
  /// This rank's segment, at its address in this process.
  let base: UnsafeMutableRawPointer
  /// Ranks in the group.
  let ranks: Int

  /// Calls under way at once.
  static let depth = 32
  /// Bytes that travel in the line of the call itself.
  static let lineCapacity = 32
  /// Bytes that travel with a call, and are read by everyone who needs them.
  static let inlineCapacity = 4_096
  /// Areas through which larger values pass that lie in private memory, and their bytes: few enough to stay in the
  /// second-level cache.
  static let stagingAreas = 4
  static let stagingBytes = 1 << 18
  /// Bytes of a rank's words about a call, for messages.
  static let wordsCapacity = 1_024

  static let lineBytes = 64

  // Offsets of the parts of a segment.
  private static let leftOffset = 0
  private static let linesOffset = lineBytes
  private static let wordsOffset = linesOffset + depth * lineBytes
  private static let tablesOffset = wordsOffset + lineBytes + wordsCapacity
  /// Words of an entry's table: the counts of an all-to-all, both ways, or the places of a tree-reduce's blocks.
  static func tableCapacity(ranks: Int) -> Int { max(2 * ranks, 64) }
  private static func payloadsOffset(ranks: Int) -> Int { tablesOffset + depth * 8 * tableCapacity(ranks: ranks) }
  private static func stagingOffset(ranks: Int) -> Int {
    (payloadsOffset(ranks: ranks) + depth * inlineCapacity + 4_095) & ~4_095
  }

  /// Bytes of a segment.
  static func byteCount(ranks: Int) -> Int { stagingOffset(ranks: ranks) + stagingAreas * stagingBytes }

  /// Calls before this one no longer matter to this rank.
  @inline(__always)
  var left: UnsafeMutablePointer<Atomic<UInt64>> {
    (base + CallBoard.leftOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// The line of an entry.
  @inline(__always)
  func line(_ entry: Int) -> CallLine { CallLine(base: base + (CallBoard.linesOffset + entry * CallBoard.lineBytes)) }

  /// The table of an entry.
  func table(_ entry: Int) -> UnsafeMutablePointer<Int> {
    let offset = CallBoard.tablesOffset + entry * 8 * CallBoard.tableCapacity(ranks: ranks)
    return (base + offset).assumingMemoryBound(to: Int.self)
  }

  /// Where an entry's inline values lie that are too many for its line.
  @inline(__always)
  func payload(_ entry: Int) -> UnsafeMutableRawPointer {
    base + (CallBoard.payloadsOffset(ranks: ranks) + entry * CallBoard.inlineCapacity)
  }

  /// A staging area.
  func staging(_ area: Int) -> UnsafeMutableRawPointer {
    base + (CallBoard.stagingOffset(ranks: ranks) + area * CallBoard.stagingBytes)
  }

  /// The call, from 1, that `words` speak of.
  var wordsNumber: UnsafeMutablePointer<Atomic<UInt64>> {
    (base + CallBoard.wordsOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// A rank's own description of the call that it disputes, ended by a zero.
  var words: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: base + (CallBoard.wordsOffset + CallBoard.lineBytes), count: CallBoard.wordsCapacity)
  }
}

/// One call of one rank, in a cache line.
struct CallLine {
  let base: UnsafeMutableRawPointer

  /// How a rank gives its values.
  enum Form: UInt8 {
    /// In the line, or in the entry's payload.
    case inline
    /// Through a staging area, round by round.
    case staged
    /// Where they are: in memory that the group shares.
    case shared
    /// By messages; here is only said what was called.
    case elsewhere
  }

  @inline(__always)
  var posted: UnsafeMutablePointer<Atomic<UInt64>> { base.assumingMemoryBound(to: Atomic<UInt64>.self) }
  @inline(__always)
  var done: UnsafeMutablePointer<Atomic<UInt64>> { (base + 8).assumingMemoryBound(to: Atomic<UInt64>.self) }

  /// What all ranks must have called alike.
  @inline(__always)
  var fingerprint: UInt64 {
    get { (base + 16).load(as: UInt64.self) }
    nonmutating set { (base + 16).storeBytes(of: newValue, as: UInt64.self) }
  }

  /// How the values are given, the call's kind, and a staging area's number or a shared place.
  @inline(__always)
  var form: Form { Form(rawValue: (base + 24).load(as: UInt8.self)) ?? .inline }
  @inline(__always)
  var kind: Exchange.Kind? { Exchange.Kind(rawValue: (base + 25).load(as: UInt8.self)) }
  @inline(__always)
  var place: SharedPlace { SharedPlace(bits: (base + 24).load(as: UInt64.self) >> 16) }

  @inline(__always)
  func set(_ form: Form, _ kind: Exchange.Kind, _ place: SharedPlace) {
    (base + 24).storeBytes(
      of: place.bits << 16 | UInt64(kind.rawValue) << 8 | UInt64(form.rawValue), as: UInt64.self)
  }

  /// The few bytes that travel in the line.
  @inline(__always)
  var payload: UnsafeMutableRawPointer { base + 32 }
}

/// Where values lie: a window's number and an offset into the owner's segment, or a staging area. 48 bits.
struct SharedPlace {
  let bits: UInt64

  init(bits: UInt64) { self.bits = bits }
  init(window: Int, offset: Int) { bits = UInt64(window) << 40 | UInt64(offset) }
  init(area: Int) { bits = UInt64(area) }

  var window: Int { Int(bits >> 40) }
  var offset: Int { Int(bits & (1 << 40 - 1)) }
  var area: Int { Int(bits) }
}
