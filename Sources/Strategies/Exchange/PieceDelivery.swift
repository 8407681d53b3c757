import Communication
import Tensors

/// Brings parts of the blocks of all ranks to the ranks that own the parts, which combine them as they like.
///
/// Blocks are numbered rank by rank.  A rank's own blocks stay where they lie.  Sends a range of n scalars, with k blocks a
/// rank and nᵣ scalars of its own, as 4k·(n − nᵣ) bytes.  Memory: its own scalars once for every block of another rank.
public final class PieceDelivery {
  private let communicator: any Communicator
  /// By range, then by rank: the scalars that the rank owns.
  private let parts: [[Range<Int>]]
  /// The number of each rank's first block; behind the last rank's, the number of all.
  private let firstBlocks: [Int]
  private var requests: [[Request]]
  /// Where the blocks of others arrive, by range.
  private let arrivals: [Storage]

  /// Deliveries among ranks with so many blocks each; `parts[range][rank]` are consecutive in the order of ranks.
  public init(_ communicator: any Communicator, blocks: [Int], parts: [[Range<Int>]]) {
    self.communicator = communicator
    self.parts = parts
    let rank = communicator.rank
    firstBlocks = blocks.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let others = firstBlocks[blocks.count] - blocks[rank]
    arrivals = parts.map { Storage(zeros: others * $0[rank].count) }
    requests = parts.map { _ in [] }
  }

  private var ownBlocks: Range<Int> { firstBlocks[communicator.rank]..<firstBlocks[communicator.rank + 1] }

  /// The scalars of a range that this rank owns.
  public func own(_ index: Int) -> Range<Int> { parts[index][communicator.rank] }

  /// Scalars of a range that each rank owns.
  public func counts(_ index: Int) -> [Int] { parts[index].map(\.count) }

  /// Starts the delivery of a range of this rank's blocks.
  public func start(_ index: Int, _ blocks: [Storage]) throws(CommunicationError) {
    precondition(blocks.count == ownBlocks.count, "\(blocks.count) blocks where \(ownBlocks.count) are delivered")
    requests[index].removeAll(keepingCapacity: true)
    let count = own(index).count
    for other in 0..<communicator.size where other != communicator.rank {
      let part = parts[index][other]
      for block in blocks where !part.isEmpty {
        requests[index].append(
          try communicator.startSend(
            UnsafeBufferPointer(start: block.base + part.lowerBound, count: part.count), to: other, tag: index,
            label: index))
      }
      for block in firstBlocks[other]..<firstBlocks[other + 1] where count > 0 {
        requests[index].append(
          try communicator.startReceive(
            UnsafeMutableBufferPointer(start: arrival(block, index), count: count), from: other, tag: index,
            label: index))
      }
    }
  }

  /// Moves everything along; true once a range has left and arrived.
  public func test(_ index: Int) throws(CommunicationError) -> Bool {
    for request in requests[index] {
      if try !communicator.test(request) { return false }
    }
    return true
  }

  /// Waits until a range has left and arrived.
  public func finish(_ index: Int) throws(CommunicationError) {
    for request in requests[index] { try communicator.wait(request) }
    requests[index].removeAll(keepingCapacity: true)
  }

  /// Where this rank's part of a block lies once the range is finished; `blocks` are its own.
  public func place(ofBlock block: Int, _ index: Int, _ blocks: [Storage]) -> UnsafeMutablePointer<Float> {
    if ownBlocks.contains(block) { return blocks[block - ownBlocks.lowerBound].base + own(index).lowerBound }
    return arrival(block, index)
  }

  private func arrival(_ block: Int, _ index: Int) -> UnsafeMutablePointer<Float> {
    let number = block < ownBlocks.lowerBound ? block : block - ownBlocks.count
    return arrivals[index].base + number * own(index).count
  }

  /// Bytes that this rank sends for all ranges.
  public var bytesSent: Int {
    var scalars = 0
    for parts in parts {
      for (rank, part) in parts.enumerated() where rank != communicator.rank { scalars += part.count }
    }
    return 4 * ownBlocks.count * scalars
  }
}
