import Communication
import Synchronization

/// What a process of this host says that it has waited for, for a while.
struct WaitingNotice {
  /// The identity of the group.
  let group: UInt64
  /// The number of the call in its group.
  let number: Int
  /// Places on the host of the ranks that have not come.
  let awaited: [Int]
  /// The call in words.
  let words: String
}

// Notices of those who wait: by them it is seen that ranks wait for each other in different groups.
extension HostBoard {
  private enum Offset {
    static let isValid = 0
    static let group = 8
    static let number = 16
    static let awaitedCount = 24
    static let awaited = 32
    static let words = 1_024
  }
  private static let awaitedLimit = 64
  private static let wordsLimit = 1_000

  /// Says what this process waits for.
  func post(_ notice: WaitingNotice) {
    let page = noticePage(place)
    isValid(place).pointee.store(0, ordering: .sequentiallyConsistent)
    page.storeBytes(of: notice.group, toByteOffset: Offset.group, as: UInt64.self)
    page.storeBytes(of: notice.number, toByteOffset: Offset.number, as: Int.self)
    let awaited = notice.awaited.prefix(HostBoard.awaitedLimit)
    page.storeBytes(of: awaited.count, toByteOffset: Offset.awaitedCount, as: Int.self)
    for (index, other) in awaited.enumerated() {
      page.storeBytes(of: other, toByteOffset: Offset.awaited + 8 * index, as: Int.self)
    }
    let words = UnsafeMutableRawBufferPointer(start: page + Offset.words, count: HostBoard.wordsLimit + 1)
    words.copyBytes(from: Array(notice.words.utf8.prefix(HostBoard.wordsLimit)) + [0])
    isValid(place).pointee.store(1, ordering: .releasing)
  }

  /// Says that this process waits no longer.
  func withdraw() { isValid(place).pointee.store(0, ordering: .releasing) }

  /// What a process waits for; nil if it does not, or has not for long.
  func notice(of other: Int) -> WaitingNotice? {
    guard isValid(other).pointee.load(ordering: .acquiring) == 1 else { return nil }
    let page = noticePage(other)
    let count = min(page.load(fromByteOffset: Offset.awaitedCount, as: Int.self), HostBoard.awaitedLimit)
    let words = UnsafeRawBufferPointer(start: page + Offset.words, count: HostBoard.wordsLimit)
    return WaitingNotice(
      group: page.load(fromByteOffset: Offset.group, as: UInt64.self),
      number: page.load(fromByteOffset: Offset.number, as: Int.self),
      awaited: (0..<count).map { page.load(fromByteOffset: Offset.awaited + 8 * $0, as: Int.self) },
      words: String(decoding: words.prefix { $0 != 0 }, as: UTF8.self))
  }

  private func isValid(_ other: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    (noticePage(other) + Offset.isValid).assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}
