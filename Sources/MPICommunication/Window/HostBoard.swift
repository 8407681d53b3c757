import CSharedMemory
import Communication
import Glibc
import Synchronization

/// What the processes of one host know of each other: who they are, whether they live, and a bell for each.
///
/// A rank that finds nothing to do for a while sleeps on its bell. Others look whether it sleeps whenever they have written
/// something it may wait for, and ring. Between that write and that look lies no fence, which would cost every call; the
/// rare ring that is missed for that is made up for by a limit to every sleep.
final class HostBoard {
  /// This process's place among those of the host.
  let place: Int
  /// Whether there are fewer cores than processes, so that waiting must not keep a core busy.
  let isCrowded: Bool

  private let window: SharedWindow
  private let ownNamespace: UInt64

  /// Two pages for each process; the second is for notices of waiting.
  private enum Offset {
    static let rings = 0
    static let asleep = 4
    static let process = 64
    static let namespace = 72
    static let cores = 128
  }
  private static let coreWords = 128
  private static let pageBytes = 4_096
  /// The longest sleep, nanoseconds.
  private static let longestSleep: UInt64 = 2_000_000

  /// Makes the board; nil where the host's memory cannot be shared. Collective over `group`, all of the host.
  static func make(_ group: MPICommunicator) throws(CommunicationError) -> HostBoard? {
    guard let window = try SharedWindow.make(byteCount: 2 * pageBytes, group) else { return nil }
    let own = window.segments[group.rank]
    (own + Offset.process).storeBytes(of: Int64(getpid()), as: Int64.self)
    (own + Offset.namespace).storeBytes(of: nndist_process_namespace(), as: UInt64.self)
    nndist_allowed_core_bits((own + Offset.cores).assumingMemoryBound(to: UInt64.self), CInt(coreWords))
    try group.barrier()
    return HostBoard(window, place: group.rank)
  }

  private init(_ window: SharedWindow, place: Int) {
    self.window = window
    self.place = place
    ownNamespace = nndist_process_namespace()
    var cores = 0
    for word in 0..<HostBoard.coreWords {
      var union: UInt64 = 0
      for segment in window.segments {
        union |= (segment + Offset.cores + 8 * word).load(as: UInt64.self)
      }
      cores += union.nonzeroBitCount
    }
    // Launchers that count threads and quotas too say it to MPI.
    let launcher = getenv("OMPI_MCA_mpi_yield_when_idle").map { String(cString: $0) }
    isCrowded = window.segments.count > max(cores, 1) || launcher == "1"
  }

  /// Where a process says that it waits.
  func noticePage(_ other: Int) -> UnsafeMutableRawPointer { window.segments[other] + HostBoard.pageBytes }

  /// Processes of this host.
  var size: Int { window.segments.count }

  /// Wakes a process if it sleeps.
  @inline(__always)
  func ring(_ other: Int) {
    if asleep(other).pointee.load(ordering: .relaxed) != 0 { wake(other) }
  }

  private func wake(_ other: Int) {
    rings(other).pointee.add(1, ordering: .releasing)
    nndist_futex_wake(rings(other))
  }

  /// Sleeps until the bell rings, but not longer than a moment, unless `look`, once the bell is armed, says otherwise.
  func sleep(unless look: () throws(CommunicationError) -> Bool) throws(CommunicationError) {
    let heard = rings(place).pointee.load(ordering: .acquiring)
    asleep(place).pointee.store(1, ordering: .sequentiallyConsistent)
    defer { asleep(place).pointee.store(0, ordering: .relaxed) }
    if try look() { return }
    nndist_futex_wait(rings(place), heard, HostBoard.longestSleep)
  }

  /// Whether a process has ended; false where that cannot be told.
  func isGone(_ other: Int) -> Bool {
    let segment = window.segments[other]
    guard ownNamespace != 0, (segment + Offset.namespace).load(as: UInt64.self) == ownNamespace else { return false }
    return nndist_process_is_gone(CInt((segment + Offset.process).load(as: Int64.self))) != 0
  }

  @inline(__always)
  private func rings(_ other: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    (window.segments[other] + Offset.rings).assumingMemoryBound(to: Atomic<UInt32>.self)
  }

  @inline(__always)
  private func asleep(_ other: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    (window.segments[other] + Offset.asleep).assumingMemoryBound(to: Atomic<UInt32>.self)
  }
}
