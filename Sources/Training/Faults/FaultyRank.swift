import Communication
import Configuration
import Strategies
import Tensors

/// One rank of a run for which faults are demanded: makes them happen where the loop says that it has come.
///
/// Belongs to the thread of its rank.
public final class FaultyRank {
  /// The rank's way to the others, which it can be cut off from.
  public let communicator: FaultyCommunicator
  /// What the rank is to fail to write.
  public let writes = WriteFaults()
  /// The rank, from 0.
  public var rank: Int { communicator.rank }
  private let demands: [DemandedFault]
  /// Those of this rank in this start of the run, by their place in `demands`.
  private var own: [(identifier: Int, fault: any Fault)] = []
  private var happened: Set<Int> = []
  private var attempt = 0
  private var step = 0
  /// The fault that happens just now, and the one whose corruption is still to come.
  private var present = 0
  private var corrupting: Int?
  /// Shards whose gradients are to be no numbers in this step, and whether their losses are to be none either.
  private var spoiled: [(shard: Int, loss: Bool)] = []

  /// A rank to which nothing happens until it is armed; nil where no faults are demanded.
  init?(_ demands: [DemandedFault], _ base: any Communicator) {
    if demands.isEmpty { return nil }
    self.demands = demands
    communicator = FaultyCommunicator(base)
  }

  // MARK: - Before and after

  /// Makes the faults ready that concern this start of the run, whose number rank 0 finds out; `run` is its directory, which
  /// need not exist.  Collective.
  func arm(run: String?, shards: Int, totalSteps: Int) throws(RunError) {
    do {
      let number = try Agreement.together(communicator) { () throws(RunError) in
        rank == 0 ? try Attempt.number(run: run) : 0
      }
      let numbers = try Agreement.exchange(Array("\(number)".utf8), communicator)
      let attempt = Int(String(decoding: numbers[0], as: UTF8.self)) ?? number
      try arm(attempt: attempt, shards: shards, totalSteps: totalSteps)
    } catch { throw RunError(error) }
  }

  /// Makes the faults ready that concern this rank in a start of the run.  Errors: for the first start, a rank, shard or step
  /// that the run does not have.  A later start may have fewer ranks: what concerns others cannot happen any longer.
  func arm(attempt: Int, shards: Int, totalSteps: Int) throws(ConfigurationError) {
    if attempt == 1 { try requireSense(shards: shards, totalSteps: totalSteps) }
    self.attempt = attempt
    let held = ShardTree(shards: shards).shards(of: rank, parts: communicator.size)
    for (identifier, demand) in demands.enumerated() where demand.fault.occasion.isPart(of: attempt) {
      switch demand.fault.occasion.victim {
      case .rank(let rank): guard rank == self.rank else { continue }
      case .shard(let shard): guard held.contains(shard) else { continue }
      }
      own.append((identifier, demand.fault))
      demand.fault.prepare(self, identifier: identifier)
    }
  }

  private func requireSense(shards: Int, totalSteps: Int) throws(ConfigurationError) {
    let ranks = communicator.size
    for demand in demands {
      func refuse(_ what: String) -> ConfigurationError {
        ConfigurationError("\(demand.path)\(what)", at: demand.place)
      }
      let occasion = demand.fault.occasion
      switch occasion.victim {
      case .rank(let rank) where rank >= ranks:
        throw refuse(
          ".rank is \(rank), but the run has \(ranks == 1 ? "rank 0 only" : "ranks 0 to \(ranks - 1)"); start more ranks or "
            + "name one of these")
      case .shard(let shard) where shard >= shards:
        throw refuse(
          ".shard is \(shard), but the run has \(shards == 1 ? "shard 0 only" : "shards 0 to \(shards - 1)"); raise "
            + "training.shards or name one of these")
      default: break
      }
      guard occasion.step <= totalSteps else {
        throw refuse(".step is \(occasion.step), but training ends after step \(totalSteps); name an earlier one")
      }
      guard ranks >= demand.fault.ranksNeeded else {
        throw refuse(" needs at least \(demand.fault.ranksNeeded) ranks; with \(ranks) it cannot happen")
      }
    }
  }

  /// A line for each fault of this start that has not happened to any rank; what the last step is still to write may fail yet.
  /// Collective.
  func missed() throws(CommunicationError) -> [String] {
    let mine = happened.union(writes.happened)
    let marks = try Agreement.exchange(demands.indices.map { mine.contains($0) ? 1 : 0 }, communicator)
    return demands.indices.filter { identifier in
      let occasion = demands[identifier].fault.occasion
      let mayCome = occasion.moment == nil && occasion.step == step
      return occasion.isPart(of: attempt) && !mayCome && marks.allSatisfy { $0[identifier] == 0 }
    }.map { "\(demands[$0].path) did not happen \(demands[$0].fault.occasion)" }
  }

  // MARK: - On the way

  /// A step begins, counted from 1.
  func begin(step: Int) throws(CommunicationError) {
    self.step = step
    writes.begin(step: step)
    try reach(.start)
  }

  /// The step has done its computation; what it has not received was not corrupted.
  func endStep() {
    if communicator.takeBack(), let corrupting { happened.remove(corrupting) }
    corrupting = nil
    spoiled.removeAll()
  }

  /// The step has come to a moment; a fault happens once.
  func reach(_ moment: FaultMoment) throws(CommunicationError) {
    for (identifier, fault) in own where fault.occasion.step == step && fault.occasion.moment == moment {
      guard happened.insert(identifier).inserted else { continue }
      present = identifier
      try fault.happen(to: self)
    }
  }

  /// A range of this rank's gradients is computed and about to leave: block i is the sum of the shards of `nodes[i]`.
  func gradientsReady(
    _ range: Range<Int>, of nodes: [Range<Int>], _ blocks: [Storage], _ layout: GradientBlock
  ) throws(CommunicationError) {
    try reach(.gradients)
    for (shard, loss) in spoiled {
      guard let index = nodes.firstIndex(where: { $0.contains(shard) }) else { continue }
      for scalar in range.clamped(to: 0..<(loss ? layout.loss + 1 : layout.loss)) {
        blocks[index].base[scalar] = .nan
      }
    }
  }

  /// Makes the gradients of a shard no numbers in this step, and its loss, if that is wanted.
  func spoil(shard: Int, loss: Bool) { spoiled.append((shard, loss)) }

  /// Flips a bit of what the rank receives in this step, by the `call`-th exchange from now on.
  func corrupt(call: Int, bit: Int) {
    corrupting = present
    communicator.corrupt(call: call, bit: bit)
  }
}
