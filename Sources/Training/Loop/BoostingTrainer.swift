import Communication
import Datasets
import Layers
import Learning
import Strategies
import Tensors

/// Grows one model, the same on all ranks, by a round of boosting a step.
///
/// Each rank holds consecutive shards of the training set in memory.  Sums over samples are Float64 sums of each shard, which all
/// ranks gather and add in the order of the tree, so that they do not depend on the number of ranks; what follows from them,
/// every rank works out alike.  A checkpoint needs no more than the model: what its units make is worked out from them.
final class BoostingTrainer: ModelTrainer {
  let store: ParameterStore
  let shards: ShardTeam
  private(set) var version = 0
  let name = AllReduce.name
  private let network: BoostedNetwork
  private let source: any DataSource
  private let seed: UInt64
  /// Samples that a round is fitted to.
  private let subsample: Int
  private let communicator: any Communicator
  private let tree: ShardTree
  private var parts: [BoostingShard] = []
  /// Rounds that `parts` know of.
  private var known = 0
  private var numbers: [Double] = []

  var optimizerStates: [StateBlock] { [] }
  var memory: [StrategyMemory] { [] }

  /// A trainer of the weights in `store`.  Throws where the steps are not the rounds, or the subsample is not in the set.
  init(
    _ prepared: PreparedExperiment, _ network: BoostedNetwork, _ store: ParameterStore, _ shards: ShardTeam,
    _ plan: ExchangePlan, steps: Int
  ) throws {
    let count = prepared.dataset.training.count
    guard steps == network.rounds else {
      throw RunError(
        .configuration,
        "learning: gradient-boosted grows \(network.units) hidden units in \(network.rounds) rounds, one a step, and training "
          + "has \(steps) steps; set training.steps to \(network.rounds)")
    }
    self.store = store
    self.shards = shards
    self.network = network
    source = prepared.dataset.training.unaugmented
    seed = prepared.experiment.seed
    subsample = min(prepared.experiment.training.batch, count)
    communicator = plan.communicator
    tree = plan.tree
  }

  /// The model of no units.
  func start() throws(CommunicationError) {
    read()
    let count = Double(source.count)
    let sums = try sum(network.loss.outputs) { part, total in part.addTargets(to: total) }
    network.clear(store, beginning: network.loss.beginning(sums.map { $0 / count }))
    version += 1
  }

  func refresh() throws(CommunicationError) {}

  /// As many bytes as L-BFGS evaluates a fit, which no formula says.
  func bytesSent(step: Int) -> Int? { nil }

  func step(_ moment: StepMoment) throws -> StepSums {
    read()
    learn(unitsBefore: moment.index)
    var random = RandomStream(seed: seed, .selection, epoch: UInt64(moment.index))
    let chosen = random.permutation(source.count)[..<subsample].sorted()
    each { part in part.begin(self.store, subsample: chosen) }
    let weight = 1 / Double(subsample)
    let start = network.start(round: moment.index, seed: seed)
    let fit = try network.optimiser.minimise(from: start) { (numbers, gradient) throws(CommunicationError) in
      self.numbers = numbers
      let sums = try sum(1 + numbers.count) { part, total in
        self.numbers.withUnsafeBufferPointer { part.addFit($0.baseAddress!, weight: weight, to: total) }
      }
      for index in gradient.indices { gradient[index] = sums[1 + index] }
      return sums[0]
    }
    numbers = fit.x
    network.roundHidden(&numbers)
    let newton = try sum(2) { part, total in
      self.numbers.withUnsafeBufferPointer { part.addNewton($0.baseAddress!, to: total) }
    }
    let factor = network.loss.factor(shrinkage: network.shrinkage, slope: newton[0], curvature: newton[1])
    guard factor.isFinite, numbers.allSatisfy(\.isFinite) else {
      throw RunError(.diverged, "round \(moment.index + 1) has no finite fit; look at the data")
    }
    try shards.faults?.reach(.update)
    network.merge(numbers, factor: factor, round: moment.index, into: store)
    version += 1
    learn(unitsBefore: moment.index + 1)
    return try sums(moment)
  }

  /// The loss of the whole set, and what ranks tell each other.
  private func sums(_ moment: StepMoment) throws(CommunicationError) -> StepSums {
    let totals = try sum(2) { part, total in part.addLoss(self.store, to: total) }
    let wishes = UnsafeMutableBufferPointer<Double>.allocate(capacity: 3)
    defer { wishes.deallocate() }
    _ = wishes.initialize(from: [moment.stop, moment.busy, moment.due].map { $0 ? 1 : 0 })
    try communicator.allReduce(wishes, .sum)
    let count = Double(source.count)
    let terms = count * Double(shards.library.objective.targetsPerSample)
    // The share of the whole set that is right, as if of the samples of the step.
    return StepSums(
      loss: totals[0] / terms, correct: totals[1] / count * Double(moment.samples), stop: wishes[0] > 0,
      busy: wishes[1] > 0, due: wishes[2] > 0)
  }

  /// Reads this rank's samples, once.
  private func read() {
    guard parts.isEmpty else { return }
    let own = tree.shards(of: communicator.rank, parts: communicator.size)
    parts = own.map { shard in
      BoostingShard(
        shard * source.count / tree.shards..<(shard + 1) * source.count / tree.shards, of: source, network)
    }
  }

  /// Works out what the units of the rounds before one make, as far as that is not known.
  private func learn(unitsBefore round: Int) {
    let units = known * network.round.units..<round * network.round.units
    if !units.isEmpty { each { part in part.add(units: units, of: self.store) } }
    known = round
  }

  /// Does something for each shard of this rank, on all its threads.
  private func each(_ body: (BoostingShard) -> Void) {
    shards.team.run { member in
      for index in parts.indices where index % shards.team.count == member { body(parts[index]) }
    }
  }

  /// Sums of `width` numbers over all shards of all ranks.
  private func sum(
    _ width: Int, _ add: (BoostingShard, UnsafeMutablePointer<Double>) -> Void
  ) throws(CommunicationError) -> [Double] {
    let rows = UnsafeMutableBufferPointer<Double>.allocate(capacity: tree.shards * width)
    defer { rows.deallocate() }
    rows.initialize(repeating: 0)
    let ranks = (0..<communicator.size).map { tree.shards(of: $0, parts: communicator.size) }
    let own = ranks[communicator.rank]
    guard let base = rows.baseAddress else { return [] }
    shards.team.run { member in
      for index in parts.indices where index % shards.team.count == member {
        add(parts[index], base + (own.lowerBound + index) * width)
      }
    }
    if communicator.size > 1 {
      try communicator.allGather(
        UnsafeBufferPointer(rebasing: rows[own.lowerBound * width..<own.upperBound * width]), into: rows,
        counts: ranks.map { $0.count * width })
    }
    for addition in tree.additions(of: (0..<tree.shards).map { $0..<$0 + 1 }, into: 0..<tree.shards) {
      for index in 0..<width { rows[addition.to * width + index] += rows[addition.from * width + index] }
    }
    return Array(rows[..<width])
  }
}
