import Communication
import Synchronization

/// The part of a tree-reduce that the ranks of a host do together: how far it is, and what each rank shows of it.
///
/// Blocks in shared memory are used where they are, in one round. Where any rank of the host has others, all go through
/// staging areas in as many rounds as that takes: once to add them, and once more, after the exchange between hosts, for the
/// sum to come back. The other hosts need not know.
struct HostCall {
  let team: HostTeam
  let plan: HostPlan
  /// Stands for this call and all that this rank made before: ranks that differ do not meet, until they find out why.
  let chain: UInt64
  /// Elements that this rank adds, and exchanges with its like on the other hosts.
  let slice: Range<Int>
  /// What it waits for.
  var stage = Stage.entry
  /// The present round: below `rounds` blocks are added, from there on the sum comes back.
  private(set) var round = 0
  private(set) var rounds: Int
  /// Whether any rank's blocks pass through staging areas, and whether this rank's do.
  private(set) var isStaged = true
  private(set) var isOwnStaged = true

  private let number: Int
  private let count: Int
  private let roundCount: Int

  enum Stage {
    /// An entry of the boards has to become free.
    case entry
    /// Everyone on the host has to post.
    case posted
    /// Everyone on the host has to do its share.
    case shared
    /// The hosts exchange their pieces of this rank's slice.
    case pieces
    /// The hosts exchange the sums.
    case sums
  }

  /// The next call of a team.
  init(_ team: HostTeam, _ tree: ReductionTree, count: Int, chain: UInt64) {
    self.team = team
    plan = team.plan(tree)
    number = team.count()
    self.chain = chain
    self.count = count
    let parts = Parts.lines(count, over: team.layout.ranksPerHost)
    slice = parts.offset(of: team.place)..<parts.offset(of: team.place + 1)
    // Whole cache lines of each block.
    roundCount = CallBoard.stagingBytes / tree.largestBlocks / 64 * 64 / MemoryLayout<Float>.stride
    rounds = (count + roundCount - 1) / roundCount
  }

  private var entry: Int { number % HostTeam.depth }
  private var token: UInt64 { UInt64(number + 1) << 24 | UInt64(round + 1) }
  private var isReturning: Bool { round >= rounds }

  /// The elements of the present round.
  var range: Range<Int> {
    if !isStaged { return 0..<count }
    let start = round % rounds * roundCount
    return start..<min(count, start + roundCount)
  }

  /// Whether what it waits for has come; true while the hosts exchange messages, which are looked for elsewhere.
  var isReady: Bool {
    if stage == .entry { return team.isFree(entry) }
    for place in 0..<team.boards.count where isMissing(place) { return false }
    return true
  }

  /// Ranks of the world, of this host, that it waits for.
  var awaited: [Int] {
    team.places.filter { stage != .entry && isMissing($0) }.map { team.number * team.layout.ranksPerHost + $0 }
  }

  private func isMissing(_ place: Int) -> Bool {
    let line = team.boards[place].line(entry)
    switch stage {
    case .posted: return line.posted.pointee.load(ordering: .acquiring) < token || line.fingerprint != chain
    case .shared: return line.done.pointee.load(ordering: .acquiring) < token
    case .entry, .pieces, .sums: return false
    }
  }

  /// Takes the entry and shows where this rank's blocks are.
  mutating func open(_ exchange: Exchange) {
    team.take(entry)
    let board = team.boards[team.place]
    let table = board.table(entry)
    let bytes = exchange.inputCount * MemoryLayout<Float>.stride
    isOwnStaged = exchange.blocks.count > CallBoard.tableCapacity(ranks: board.ranks)
    for (index, block) in exchange.blocks.enumerated() where !isOwnStaged {
      guard let place = team.host.arena.place(of: block, bytes: bytes, seenBy: team.places) else {
        isOwnStaged = true
        break
      }
      table[index] = Int(place.bits)
    }
    board.line(entry).set(isOwnStaged ? .staged : .shared, .treeReduce, SharedPlace(bits: 0))
    board.line(entry).fingerprint = chain
    post(exchange)
  }

  /// Shows that this rank is ready for the present round, with its values where they are to be added.
  mutating func post(_ exchange: Exchange) {
    if isOwnStaged && !isReturning {
      let area = team.boards[team.place].staging(entry).assumingMemoryBound(to: Float.self)
      for (index, block) in exchange.blocks.enumerated() {
        (area + index * roundCount).update(from: block + range.lowerBound, count: range.count)
      }
    }
    stage = .posted
    team.boards[team.place].line(entry).posted.pointee.store(token, ordering: .releasing)
  }

  /// Sees, once everyone has posted first, how the host's blocks are given.
  mutating func agree() {
    isStaged = team.boards.contains { $0.line(entry).form == .staged }
    if !isStaged { rounds = 1 }
  }

  /// Where the host's blocks begin for the present round.
  func locate(_ blocks: UnsafeMutablePointer<UnsafeMutablePointer<Float>>) {
    for (place, board) in team.boards.enumerated() {
      let isStaged = board.line(entry).form == .staged
      for block in 0..<plan.blocks[place] {
        let shared = SharedPlace(bits: UInt64(board.table(entry)[isStaged ? 0 : block]))
        let address =
          isStaged
          ? board.staging(entry).assumingMemoryBound(to: Float.self) + block * roundCount
          : team.host.arena.address(of: shared, owner: place).assumingMemoryBound(to: Float.self) + range.lowerBound
        (blocks + plan.firstBlocks[place] + block).initialize(to: address)
      }
    }
  }

  /// Says that this rank has done its share of the round.
  mutating func finishShare() {
    stage = .shared
    team.boards[team.place].line(entry).done.pointee.store(token, ordering: .releasing)
  }

  /// Goes on, once everyone has done its share. False after the last round, when the entry was given back.
  mutating func nextRound(_ exchange: Exchange) -> Bool {
    if isOwnStaged && isReturning {
      let area = team.boards[team.place].staging(entry).assumingMemoryBound(to: Float.self)
      (exchange.blocks[0] + range.lowerBound).update(from: area, count: range.count)
    }
    round += 1
    if round < 2 * rounds { return true }
    team.giveBack(entry)
    return false
  }

  /// Leaves the rounds in which blocks are added.
  mutating func beginReturn() { round = rounds }

  /// Throws if a rank of the host that this one waits for has ended.
  func look(_ exchange: Exchange, rank: Int, ranks: Int) throws(CommunicationError) {
    for place in team.places where team.host.board.isGone(place) && stage != .entry && isMissing(place) {
      let other = team.number * team.layout.ranksPerHost + place
      throw CommunicationError(
        .peerLost,
        "rank \(other) ended while rank \(rank) was waiting for it in \(exchange.described(ranks: ranks))")
    }
  }
}
