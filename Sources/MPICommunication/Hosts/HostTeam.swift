import Communication
import Synchronization

/// The ranks of one host in a world of several: the memory in which they add what they bring before hosts exchange it.
///
/// A call has an entry of every rank's board until all of the host have left it. Calls beyond that wait for an entry, like
/// everything else, by being polled.
final class HostTeam {
  let layout: HostLayout
  /// This rank's place on the host.
  let place: Int
  /// The host of this rank.
  let number: Int
  /// The ranks of the host connected by messages.
  let base: MPICommunicator
  let host: WindowHost
  /// What each rank of the host shows.
  let boards: [CallBoard]

  /// Calls so far.
  private var started = 0
  private var isBusy = Array(repeating: false, count: HostTeam.depth)
  private var plans: [Fingerprint: HostPlan] = [:]

  /// Calls under way at once: each has a staging area.
  static let depth = CallBoard.stagingAreas

  /// Makes the team of each host of a world; nil on every rank where the memory of any host cannot be shared. Collective over
  /// `world`.
  static func make(_ world: MPICommunicator, _ layout: HostLayout) throws(CommunicationError) -> HostTeam? {
    let place = layout.place(of: world.rank)
    let base = try world.part(layout.ranks(of: layout.host(of: world.rank)), place)
    let bytes = CallBoard.byteCount(ranks: base.size)
    let board = try HostBoard.make(base)
    let window = board == nil ? nil : try SharedWindow.make(byteCount: bytes, base)
    guard try world.combined(window == nil ? 0 : 1, .minimum) == 1, let board, let window else { return nil }
    return HostTeam(layout, rank: world.rank, base, WindowHost(board: board), window)
  }

  private init(
    _ layout: HostLayout, rank: Int, _ base: MPICommunicator, _ host: WindowHost, _ window: SharedWindow
  ) {
    self.layout = layout
    place = layout.place(of: rank)
    number = layout.host(of: rank)
    self.base = base
    self.host = host
    boards = window.segments.map { CallBoard(base: $0, ranks: base.size) }
  }

  /// Memory that all ranks of the host see; nil on all of them where it has no room. Collective over the host.
  func allocate(byteCount: Int) throws(CommunicationError) -> CommunicatorMemory? {
    try host.arena.allocate(byteCount: byteCount, base, places: places, board: host.board)
  }

  /// Places of all ranks of the host.
  private(set) lazy var places = Array(0..<layout.ranksPerHost)

  /// Numbers the next call.
  func count() -> Int {
    started += 1
    return started - 1
  }

  /// How the host does a tree's additions.
  func plan(_ tree: ReductionTree) -> HostPlan {
    if let plan = plans[tree.fingerprint] { return plan }
    let plan = HostPlan(tree, layout, host: number)
    plans[tree.fingerprint] = plan
    return plan
  }

  /// Whether no call of this rank has the entry.
  func isFree(_ entry: Int) -> Bool { !isBusy[entry] }
  /// Gives the entry to a call.
  func take(_ entry: Int) { isBusy[entry] = true }
  /// Takes the entry back, once all ranks of the host are done with the call.
  func giveBack(_ entry: Int) { isBusy[entry] = false }
}
