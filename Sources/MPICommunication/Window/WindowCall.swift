import Communication

/// One collective of this rank under way: how far it is, and where everyone's values are.
///
/// Calls are used again, with their memory, so that a steady step allocates nothing.
struct WindowCall {
  /// What was called.
  var exchange = Exchange.barrier
  /// The group's calls before this one.
  var number = 0
  /// What all ranks must agree on.
  var fingerprint: UInt64 = 0
  /// How this rank gives its values.
  var form = CallLine.Form.inline
  /// The staging area, from the moment one was free.
  var area = -1
  /// Where its values lie, if they are not inline.
  var place = SharedPlace(bits: 0)

  /// The present round. Values that pass through staging areas take several.
  var round = 0
  /// Rounds in all; known once everyone has posted.
  var rounds = 1
  /// Elements of each part that one round takes.
  var roundCount = Int.max
  /// Whether others read this rank's values where they are, so that it has to wait until they are done.
  var isReadInPlace = false
  /// What this rank waits for.
  var stage = Stage.blocked
  /// The first rank that was not seen to be ready.
  var awaited = 0

  /// Where the values of each rank begin, for this round; for an all-to-all, those for this rank.
  let sources: UnsafeMutablePointer<UnsafeMutableRawPointer>

  /// Stages of a round.
  enum Stage {
    /// A staging area has to become free.
    case blocked
    /// Everyone has to post.
    case posted
    /// Everyone has to do its share.
    case shared
    case finished
  }

  init(ranks: Int) {
    sources = .allocate(capacity: ranks)
    sources.initialize(repeating: UnsafeMutableRawPointer(bitPattern: 64)!, count: ranks)
  }

  /// The value of the counters that speaks of the present round.
  @inline(__always)
  var token: UInt64 { UInt64(number &+ 1) &<< 24 | UInt64(round &+ 1) }

  /// The part of `count` elements that the present round takes.
  @inline(__always)
  func range(of count: Int) -> Range<Int> {
    if rounds == 1 { return 0..<count }
    let start = min(count, round &* roundCount)
    return start..<min(count, start &+ roundCount)
  }
}
