import Communication
import Configuration
import Datasets
import Glibc
import Synchronization
import Tensors

/// Rounds of a federation: who takes part, their visits on all threads of all ranks, and what comes of their uploads.
///
/// A result is a function of task, strategy and setting: sums are of integers, records stand at their places, and what must be
/// seen together is combined in client order, so that nothing depends on who visited whom.
public final class FederatedEngine {
  /// What is trained.
  public let task: FederatedTask
  /// What travels.
  public let plan: FederatedPlan
  /// What clients start from.
  public let broadcast: Broadcast
  /// The server's half.
  public let server: any ServerHalf
  /// Who takes part, and what is done to updates.
  public let setting: FederatedSetting
  /// What clients remember; nil where they remember nothing.
  public let states: ClientStates?
  /// Simulated seconds of all rounds; a federation that goes on sets those before it.
  public var simulatedSeconds = 0.0
  /// The same without the last round: those who took part in it were drawn then.
  public var simulatedSecondsBefore = 0.0
  /// Whether model, memory and clients' states are those after the same round; not so where a round that clients take part in
  /// has failed on the way.
  public private(set) var isBetweenRounds = true
  let communicator: any Communicator
  let team: WorkerTeam
  let workers: [ClientWorker]
  private let outcome: RoundOutcome
  let stages: RoundStages
  let cohort: Cohort
  let queue: VisitQueue
  private var together: [UnsafeMutableBufferPointer<Float>?]
  private let scratch = RobustScratch()
  /// The sum of changes that were kept apart.
  private var keptSum: FixedPointSum?
  private var scale = FixedPointScale(totalWeight: 1)
  private var round = 0
  private var learningRate = 0.0
  /// Why this rank could not go on; others then cannot either.
  public private(set) var failure: (any Error)?
  let failures: UnsafeMutableBufferPointer<(any Error)?>
  /// Who visits clients in place of this engine's workers; nil where they do.
  public weak var remote: (any RemoteVisits)?
  /// Who gives updates to an asynchronous server when, where that is simulated.
  let schedule: VisitSchedule?
  /// The versions that visits of an asynchronous server begin with; nil where none but the newest is needed.
  let versions: ModelVersions?
  private lazy var work: (Int) -> Void = { [unowned self] member in visit(member) }

  /// Makes both halves and room for everything.  All ranks call it together with the same; `model` holds the initial weights,
  /// and `remote` visits clients in place of this engine's workers.
  public init(
    _ task: FederatedTask, _ strategy: any FederatedStrategy, _ setting: FederatedSetting, model: ParameterStore,
    threads: Int, _ communicator: any Communicator, remote: (any RemoteVisits)? = nil
  ) throws {
    self.task = task
    self.setting = setting
    self.communicator = communicator
    self.remote = remote
    let plan = try FederatedEngine.plan(task, strategy, setting)
    self.plan = plan
    broadcast = Broadcast(model, plan.blocks)
    server = strategy.makeServer(task, plan, broadcast)
    let stages = try RoundStages(setting, task, plan, broadcast)
    self.stages = stages
    let asynchronous = setting.asynchronous
    schedule = try asynchronous.flatMap { (options) throws(FederatedError) in
      remote == nil && setting.participation == nil ? try VisitSchedule(options, setting.devices, task, plan) : nil
    }
    let newest = broadcast
    versions = asynchronous.flatMap { options in
      remote == nil || options.mixing != nil ? ModelVersions(options.mostStale, before: newest, task.layout) : nil
    }
    let shifts = asynchronous?.mixing != nil
    queue = try VisitQueue(threads: threads, keepsClients: plan.memoryCount > 0, communicator)
    // Nothing may fail once the threads are there, which only an engine ends.
    team = try WorkerTeam(count: threads)
    let programs = strategy.programs(task)
    let sent = stages.known?.broadcast ?? broadcast
    workers = (0..<threads).map { _ in
      ClientWorker(
        task, plan, strategy.makeClient(task, plan), ClientVisit(sent, plan, LocalTrainer(task, programs)),
        stages.uploadStages(), shift: shifts ? OriginShift(newest.model, plan) : nil)
    }
    outcome = RoundOutcome(plan.uploads)
    outcome.votes = workers[0].votes
    outcome.integers = workers[0].integers
    cohort = Cohort(task, setting, weighting: plan.weighting ?? setting.weighting ?? plan.usualWeighting)
    states =
      plan.memoryCount == 0
      ? nil
      : ClientStates(floats: plan.memoryCount, memoryLimit: setting.stateMemory, spillDirectory: setting.spillFolder)
    together = plan.uploads.map { _ in nil }
    failures = .allocate(capacity: threads)
    failures.initialize(repeating: nil)
  }

  deinit {
    team.end()
    for buffer in together { buffer?.deallocate() }
    failures.deinitialize()
    failures.deallocate()
  }

  /// What travels and what is remembered, as strategy and setting want it.
  public static func plan(
    _ task: FederatedTask, _ strategy: any FederatedStrategy, _ setting: FederatedSetting
  ) throws(FederatedError) -> FederatedPlan {
    var plan = try strategy.plan(task)
    plan.startsFromSeed = task.startsFromSeed
    try setting.adapt(&plan, of: type(of: strategy).name, task)
    if plan.sendsOwn(.whole) { plan.downloadBytes.other += 4 * plan.shared.others.count }
    return plan
  }

  /// Blocks that the future depends on beside the model and what clients remember: the same on every rank.
  public var memory: [ServerMemory] {
    zip(plan.blocks, broadcast.blocks).map { ServerMemory("broadcast/\($0.name)", $1) }
      + server.memory.map { ServerMemory("server/\($0.name)", $0.storage) }
      + stages.memory.map { ServerMemory("setting/\($0.name)", $0.storage) }
      + (versions?.memory ?? []).map { ServerMemory("\(FederatedEngine.versionsPrefix)\($0.name)", $0.storage) }
      + (remote?.memory ?? []).map { ServerMemory("network/\($0.name)", $0.storage) }
  }

  /// What names of older versions of the model begin with among ``memory``.
  static let versionsPrefix = "versions/"

  /// The largest norm of a change in the present round; nil for any.
  var changeLimit: Double? { stages.limit.flatMap { $0.norm.isFinite ? $0.norm : nil } }

  /// What comes before the first round.  Collective.
  public func prepare(_ note: (String) -> Void) throws {
    var failure: FederatedError?
    if communicator.rank == 0 {
      do throws(FederatedError) { try server.prepare(Workers(team), note) } catch { failure = error }
    }
    // Ranks must not wait for a rank 0 that has given up.
    var failed: [Int32] = [failure == nil ? 0 : 1]
    try failed.withUnsafeMutableBufferPointer { (buffer) throws in
      if communicator.size > 1 { try communicator.broadcast(buffer, root: 0) }
    }
    self.failure = failure
    if let failure { throw failure }
    if failed[0] != 0 { throw FederatedError(.refused, "rank 0 could not prepare the federation") }
    if communicator.size == 1 { return }
    for storage in [broadcast.model.parameters, broadcast.model.states] + memory.map(\.storage) where storage.count > 0
    {
      try communicator.broadcast(storage.scalars, root: 0)
    }
  }

  // MARK: A round

  /// One round, counted from 0.  Collective.
  public func round(_ index: Int) throws -> RoundRecord {
    try stages.begin(round: index)
    round = index
    learningRate = task.learningRate(round: index)
    for worker in workers { worker.clear() }
    if let asynchronous = setting.asynchronous {
      scale = FixedPointScale(totalWeight: asynchronous.totalWeight)
      if remote == nil { try selectUpdate(index, asynchronous) }
    } else {
      cohort.select(index, simulatedSeconds, before: simulatedSecondsBefore, plan, remote: remote)
      scale = FixedPointScale(totalWeight: max(1, cohort.totalWeight))
    }
    makeRoom()
    if let remote, let asynchronous = setting.asynchronous {
      try fill(index, asynchronous, by: remote)
    } else if let remote {
      try remote.visit(OpenRound(self, cohort, index, learningRate, scale, together[0]))
    } else {
      try visitAll()
    }
    var record = try conclude()
    record.others.merge(server.metrics) { _, new in new }
    isBetweenRounds = true
    return record
  }

  /// All visits, by the threads of all ranks.
  private func visitAll() throws {
    queue.begin(count: cohort.count)
    isBetweenRounds = states == nil
    team.runStored(work)
    for worker in workers.dropFirst() { workers[0].merge(worker) }
    if versions != nil { for worker in workers { worker.visit.broadcast = broadcast } }
    failure = failures.lazy.compactMap { $0 }.first
    cohort.failures = failure == nil ? 0 : 1
    try exchange()
    if let failure { throw failure }
    // Which rank it was, and why, is for those to say who can tell each other.
    if cohort.failures > 0 { throw FederatedError(.refused, "another rank could not go on") }
  }

  /// What clients are sent before the present round, the same for all of them: ``ServerHalf/download(_:sent:_:)``, or what lies
  /// between the model that they know and the server's.  The first round has no `.step`.
  public func download(_ kind: DownloadKind) -> [SafetensorsWriter.Part] {
    stages.known?.download(kind) ?? server.download(kind, sent: broadcast, plan)
  }

  /// What became of every client of the last round, in client order: the same on every rank.
  public var visits: [ClientRecord] { cohort.visits(plan) }

  /// One thread's share of the visits.
  private func visit(_ member: Int) {
    failures[member] = nil
    do {
      while let place = try queue.next({ [cohort] in cohort.clients[$0] }) {
        guard cohort.isVisited(place) else { continue }
        let client = Int(cohort.clients[place])
        let version = cohort.version(place) ?? round
        if let versions { workers[member].visit.broadcast = versions.version(version, newest: round) }
        let record = try workers[member].call(
          client, round: version, epochs: cohort.epochs[place], learningRate: task.learningRate(round: version),
          weight: cohort.weights[place],
          scale, states, together: together[0].map { $0.baseAddress! + place * plan.uploads[0].count })
        cohort.record(record, place)
      }
    } catch { failures[member] = error }
  }

  /// Room for changes that must be seen together.
  private func makeRoom() {
    guard plan.keepsChanges else { return }
    let count = cohort.count * plan.uploads[0].count
    if let known = together[0], known.count >= count { return known.update(repeating: 0) }
    together[0]?.deallocate()
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    buffer.initialize(repeating: 0)
    together[0] = buffer
  }

  /// Adds up what the ranks have.
  private func exchange() throws {
    guard communicator.size > 1 else { return }
    let first = workers[0]
    try communicator.allReduce(cohort.records, .sum)
    for sum in first.sums { if let sum { try communicator.allReduce(sum.words, .sum) } }
    for sum in first.votes { if let sum { try communicator.allReduce(sum.words, .sum) } }
    for words in first.integers { if let words { try communicator.allReduce(words, .sum) } }
    for buffer in together {
      // Bits of all but one rank are zeros: adding them as integers also keeps the sign of a zero.
      guard let buffer else { continue }
      try buffer.withMemoryRebound(to: Int32.self) { (words) throws in try communicator.allReduce(words, .sum) }
    }
  }

  /// Combines the uploads and moves the server.
  private func conclude() throws -> RoundRecord {
    let all = Workers(team)
    versions?.keep(round)
    if let changes = together[0]?.baseAddress {
      stages.collusion?.replace(changes, count: plan.uploads[0].count, cohort, all)
    }
    var (record, whole) = cohort.summary(plan)
    record.round = round + 1
    record.learningRate = learningRate
    simulatedSecondsBefore = simulatedSeconds
    simulatedSeconds += record.simulatedSeconds
    outcome.round = round
    outcome.learningRate = learningRate
    outcome.updates = record.updates
    outcome.weight = cohort.acceptedWeight
    record.isSkipped = !setting.combinesNothing && !isEnough(record.updates)
    if record.isSkipped {
      server.skip()
      return record
    }
    for (index, part) in plan.uploads.enumerated() where part.kind == .change || part.kind == .numbers {
      if let sum = workers[0].sums[index] {
        let planned = part.isUnweighted ? nil : setting.plannedWeight(cohort)
        scale.mean(sum.sums, weight: planned ?? sum.weight, into: outcome.mean(index), count: part.count)
      } else if let changes = together[index]?.baseAddress {
        combine(changes, into: outcome.mean(index), count: part.count, all)
      }
    }
    for stage in stages.outcome { try stage.apply(outcome, whole: whole, &record, all) }
    try server.combine(outcome)
    return record
  }

  /// Whether so many updates can be combined.
  private func isEnough(_ updates: Int) -> Bool {
    guard updates > 0 else { return false }
    guard let rule = plan.rule else { return true }
    return (try? rule.check(clients: updates)) != nil
  }

  /// Combines changes that were kept apart: by the rule, or to the mean that they would have come to on the way.
  private func combine(
    _ changes: UnsafePointer<Float>, into mean: UnsafeMutablePointer<Float>, count: Int, _ workers: Workers
  ) {
    let places = cohort.acceptedPlaces
    if let rule = plan.rule {
      let set = UpdateSet(
        places.map { changes + $0 * count }, weights: places.map { cohort.weights[$0] }, count: count)
      return rule.combine(set, into: mean, scratch, workers)
    }
    let sum = keptSum ?? FixedPointSum(count: count)
    keptSum = sum
    sum.clear()
    nonisolated(unsafe) let (rows, mean) = (changes, mean)
    let (scale, weights) = (scale, cohort.weights)
    let weight = setting.plannedWeight(cohort) ?? cohort.acceptedWeight
    workers.run { worker in
      let part = workers.part(worker, of: count, grain: RobustScratch.lanes)
      let sums = sum.sums + part.lowerBound
      for place in places {
        scale.add(rows + place * count + part.lowerBound, weight: weights[place], to: sums, count: part.count)
      }
      scale.mean(sums, weight: weight, into: mean + part.lowerBound, count: part.count)
    }
  }
}

extension Workers {
  /// The threads of a team.
  init(_ team: WorkerTeam) {
    self.init(count: team.count) { body in team.run { body($0) } }
  }
}
