/// What a rank that has waited for long tells the others of its group about its calls.
struct Report {
  /// The number, among the group's collectives, of the call that the clause is about; 0 for what is none of them.
  let number: Int
  /// Whether the sender knows that calls of this number contradict each other.
  var isAlarm = false
  /// What must agree: of the call with this number, and of those before it, the latest first.
  var fingerprints: [UInt64] = []
  /// Where the sender is held up, if in a collective of another group.
  var obstacle: Obstacle?
  /// What the rank did, to be read after "rank 3 ": "called barrier".
  let clause: String

  /// A collective that a rank waits for while others wait for it.
  struct Obstacle {
    /// The identity of the group of that collective.
    let group: UInt64
    /// The collective's number there.
    let number: Int
    /// The ranks there, by place, whose messages have not come; some of them where they are many.
    let sources: [Int]
    /// Collectives that the sender has called in the group that it reports to.
    let called: Int
  }

  /// Fingerprints that a report has room for.
  static let fingerprintLimit = 32
  /// The bytes of every report on the wire; a longer clause is cut.
  static let byteCount = 768
  private static let sourceLimit = 16
  private static let wordLimit = 8 + fingerprintLimit + sourceLimit
  private static let clauseStart = 8 * wordLimit

  /// Writes `byteCount` bytes.
  func write(to memory: UnsafeMutableRawPointer) {
    let room = Report.byteCount - Report.clauseStart
    var text = Array(clause.utf8)
    if text.count > room { text.replaceSubrange((room - 3)..., with: "…".utf8) }
    var words = [number, isAlarm ? 1 : 0, text.count, fingerprints.count]
    words += fingerprints.map { Int(truncatingIfNeeded: $0) }
    if let obstacle {
      let sources = obstacle.sources.prefix(Report.sourceLimit)
      words += [Int(truncatingIfNeeded: obstacle.group), obstacle.number, obstacle.called, sources.count] + sources
    }
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Report.byteCount)
    for (index, word) in words.enumerated() { memory.storeBytes(of: word, toByteOffset: 8 * index, as: Int.self) }
    for (index, byte) in text.enumerated() {
      memory.storeBytes(of: byte, toByteOffset: Report.clauseStart + index, as: UInt8.self)
    }
  }
}

extension Report {
  /// Reads the `byteCount` bytes that `write` wrote.
  init(from memory: UnsafeRawPointer) {
    let words = (0..<Report.wordLimit).map { memory.load(fromByteOffset: 8 * $0, as: Int.self) }
    number = words[0]
    isAlarm = words[1] != 0
    clause = String(
      decoding: UnsafeRawBufferPointer(start: memory + Report.clauseStart, count: words[2]), as: UTF8.self)
    fingerprints = words[4..<(4 + words[3])].map { UInt64(truncatingIfNeeded: $0) }
    let rest = words[(4 + words[3])...].prefix(4 + Report.sourceLimit)
    let place = Array(rest.prefix(4))
    if place[1] > 0 {
      obstacle = Obstacle(
        group: UInt64(truncatingIfNeeded: place[0]), number: place[1],
        sources: Array(rest.dropFirst(4).prefix(place[3])), called: place[2])
    }
  }
}
