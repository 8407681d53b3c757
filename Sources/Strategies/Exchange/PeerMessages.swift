import Communication
import Tensors

/// Messages of one size from shards to single other shards, in rounds that differ in who listens to whom.
///
/// A message stays where it is for listeners on the same rank, and is sent once to every other rank that has one.  Sends in a
/// round 4·n bytes for n scalars and every pair of a shard here and another rank that listens to it.  Memory: a message for
/// each shard here and for each that is listened to elsewhere.
public final class PeerMessages {
  /// Scalars of a message.
  public let scalars: Int
  private let communicator: any Communicator
  private let own: Range<Int>
  private let owners: [Int]
  private let rounds: [Round]
  private let memory: Storage
  private let stride: Int
  private var requests: [Request] = []

  /// What a rank does in a round.
  private struct Round {
    /// Messages from here.
    var sends: [(shard: Int, rank: Int)] = []
    /// Shards elsewhere that are listened to.
    var receives: [Int] = []
  }

  /// Messages of `scalars` scalars; `sources` says to whom a shard listens in a round, itself left out.
  public init(
    _ plan: ExchangePlan, scalars: Int, rounds count: Int, sources: (_ round: Int, _ shard: Int) -> [Int]
  ) {
    self.scalars = scalars
    communicator = plan.communicator
    let ranks = plan.communicator.size
    let own = plan.shards
    self.own = own
    let owners = (0..<ranks).flatMap { rank in plan.tree.shards(of: rank, parts: ranks).map { _ in rank } }
    self.owners = owners
    rounds = (0..<count).map { index in
      var round = Round()
      for shard in 0..<plan.tree.shards {
        for source in sources(index, shard) {
          if own.contains(shard), !own.contains(source), !round.receives.contains(source) {
            round.receives.append(source)
          }
          let send = (shard: source, rank: owners[shard])
          if own.contains(source), !own.contains(shard), !round.sends.contains(where: { $0 == send }) {
            round.sends.append(send)
          }
        }
      }
      return round
    }
    stride = (scalars + 15) / 16 * 16
    memory = Storage(zeros: stride * (own.count + (rounds.map(\.receives.count).max() ?? 0)))
  }

  /// The message of a shard: of one here, to be written before `start`; of another, there once `finish` has returned.
  public func message(of shard: Int, round: Int) -> UnsafeMutablePointer<Float> {
    if own.contains(shard) { return memory.base + (shard - own.lowerBound) * stride }
    guard let place = rounds[round].receives.firstIndex(of: shard) else {
      preconditionFailure("nobody on rank \(communicator.rank) listens to shard \(shard)")
    }
    return memory.base + (own.count + place) * stride
  }

  /// Starts a round.  Messages of shards here must not change until `finish` has returned.
  public func start(_ round: Int) throws(CommunicationError) {
    for (shard, rank) in rounds[round].sends {
      let message = UnsafeBufferPointer(start: message(of: shard, round: round), count: scalars)
      requests.append(try communicator.startSend(message, to: rank, tag: shard))
    }
    for shard in rounds[round].receives {
      let message = UnsafeMutableBufferPointer(start: message(of: shard, round: round), count: scalars)
      requests.append(try communicator.startReceive(message, from: owners[shard], tag: shard))
    }
  }

  /// Moves what was started along.
  public func poll() throws(CommunicationError) {
    if let request = requests.first { _ = try communicator.test(request) }
  }

  /// Waits for the round that was started.
  public func finish() throws(CommunicationError) {
    for request in requests { try communicator.wait(request) }
    requests.removeAll(keepingCapacity: true)
  }

  /// Bytes that this rank sends in a round.
  public func bytesSent(round: Int) -> Int { 4 * scalars * rounds[round].sends.count }
}
