import Datasets
import Layers
import Tensors

/// The clients of one round with what each weighs, how much it trains, and what became of it.  Kept from round to round, so
/// that a steady round allocates nothing.
final class Cohort {
  private let task: FederatedTask
  private let setting: FederatedSetting
  private let weighting: Weighting
  private let sampler: CohortSampler
  private let scratch = CohortScratch()
  /// Ascending.
  private(set) var clients: [Int32] = []
  private(set) var samples: [Int] = []
  private(set) var weights: [Int] = []
  private(set) var epochs: [Int] = []
  /// Whether the client's update is waited for.
  private var isWaitedFor: [Bool] = []
  private var isStraggler: [Bool] = []
  /// What stragglers are chosen by, and the places in its order.
  private var straggling: [UInt64] = []
  private var places: [Int32] = []
  private var durations: [Double] = []
  private var inTime: [Int32] = []
  /// Whether the client took part in the round before; filled where downloads depend on it.
  private var isFollower: [Bool] = []
  private var before: [Int32] = []
  /// What an asynchronous server has sent; empty where rounds have cohorts.
  private var versions: [Int] = []
  /// Updates that its model had had.
  private var newest = 0
  private var latestRound = -1
  private(set) var totalWeight = 0
  /// Clients whose uploads are masked together, as far as all who know the configuration know them.
  private(set) var masked = 0
  /// Why no updates are taken, where that is so from the beginning.
  private(set) var refusal: String?
  private var seconds = 0.0
  private var words = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 0)

  /// Simulated seconds that a round without clients takes where it has no deadline.
  private static let patience = 60.0

  init(_ task: FederatedTask, _ setting: FederatedSetting, weighting: Weighting) {
    self.task = task
    self.setting = setting
    self.weighting = weighting
    sampler = setting.sampler(task)
  }

  deinit { words.deallocate() }

  var count: Int { clients.count }

  /// What the planned cohort weighs where all clients weigh the same.
  var plannedWeight: Int { (weights.first { $0 > 0 } ?? 1) * task.cohort }

  /// Whether all clients weigh the same.
  var isCommonWeight: Bool { weighting == .clients }

  /// The records of all places, then the number of ranks that could not go on.
  var records: UnsafeMutableBufferPointer<Int64> { .init(rebasing: words[..<(count * VisitRecord.words + 1)]) }

  /// Ranks that could not go on.
  var failures: Int64 {
    get { words[count * VisitRecord.words] }
    set { words[count * VisitRecord.words] = newValue }
  }

  func isVisited(_ place: Int) -> Bool { isWaitedFor[place] && samples[place] > 0 }

  /// Who takes part in a round that begins at a simulated moment; the round before began at another.  Those who visit clients
  /// elsewhere know how many samples they have, and who is back in time; `isElsewhere` for clients that ask who they are among.
  func select(
    _ round: Int, _ moment: Double, before: Double, _ plan: FederatedPlan, remote: (any RemoteVisits)? = nil,
    isElsewhere: Bool = false
  ) {
    let devices = setting.devices
    let follows = plan.downloadBytes.follower != plan.downloadBytes.other
    if follows { remember(round, began: before) }
    clients.removeAll(keepingCapacity: true)
    draw(round, moment)
    samples.removeAll(keepingCapacity: true)
    epochs.removeAll(keepingCapacity: true)
    isWaitedFor.removeAll(keepingCapacity: true)
    chooseStragglers(round)
    for (place, client) in clients.enumerated() {
      samples.append(remote?.samples(of: Int(client)) ?? task.partition.count(of: Int(client)))
      let passes = setting.epochs(client: Int(client), round: round, isStraggler: isStraggler[place], task)
      epochs.append(max(1, passes ?? 0))
      isWaitedFor.append(passes != nil)
    }
    if follows { follow() }
    seconds = 0
    if let known = setting.participation?[round] {
      isWaitedFor = known.counted
      samples = known.samples
    } else if remote == nil, !isElsewhere, !devices.isIdeal {
      wait(round, plan)
    }
    mask()
    weights.removeAll(keepingCapacity: true)
    weights.append(contentsOf: repeatElement(0, count: count))
    samples.withUnsafeBufferPointer { samples in
      weights.withUnsafeMutableBufferPointer { weighting.weigh(samples, into: $0) }
    }
    totalWeight = weights.reduce(0, +)
    clearRecords()
  }

  /// Counts those who mask their uploads, and leaves out all where too few or too many would.
  private func mask() {
    (masked, refusal) = (0, nil)
    guard let masks = setting.secureAggregation else { return }
    let visited = (0..<count).count(where: isVisited)
    masked = setting.clientsBringData ? isWaitedFor.count { $0 } : visited
    guard visited > 0 else { return }
    refusal = masks.refusal(cohort: visited)
    if refusal != nil { for place in 0..<count { isWaitedFor[place] = false } }
  }

  /// The visits that end in one update of an asynchronous server, counted from 0, in client order.
  func set(_ visits: [BufferedVisit], update: Int, seconds: Double, _ options: AsynchronousOptions) {
    clients = visits.map(\.client)
    versions = visits.map(\.version)
    newest = update
    samples = visits.map(\.samples)
    isWaitedFor = visits.map(\.isCounted)
    epochs = visits.map { task.local.epochs(client: Int($0.client), round: $0.version, seed: task.seed) }
    weights = versions.map { update - $0 <= options.mostStale ? options.weight(age: update - $0) : 0 }
    totalWeight = options.totalWeight
    self.seconds = seconds
    clearRecords()
  }

  /// Which version of the model a place's client was sent; nil for that of the round.
  func version(_ place: Int) -> Int? { versions.isEmpty ? nil : versions[place] }

  private func clearRecords() {
    let needed = count * VisitRecord.words + 1
    if words.count < needed {
      words.deallocate()
      words = .allocate(capacity: needed)
    }
    words.initialize(repeating: 0)
  }

  /// Which places hold stragglers: as many as their share of the cohort, the nearest whole number, and any with the same
  /// probability.
  private func chooseStragglers(_ round: Int) {
    isStraggler.removeAll(keepingCapacity: true)
    isStraggler.append(contentsOf: repeatElement(false, count: count))
    guard let stragglers = setting.stragglers else { return }
    straggling.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
    for (place, client) in clients.enumerated() {
      straggling.append(setting.straggling(client: Int(client), round: round, task))
      places.append(Int32(place))
    }
    places.withUnsafeMutableBufferPointer { places in
      places.heapSort { straggling[Int($0)] < straggling[Int($1)] }
    }
    for place in places.prefix(Int((stragglers.share * Double(count)).rounded())) { isStraggler[Int(place)] = true }
  }

  /// Appends those who take part in a round that begins at a simulated moment.
  private func draw(_ round: Int, _ moment: Double) {
    if let known = setting.participation?[round] { return clients.append(contentsOf: known.clients) }
    let (devices, seed) = (setting.devices, task.seed)
    sampler.select(
      round: round, isAvailable: { devices.isIdeal || devices.isAvailable($0, at: moment, round: round, seed: seed) },
      into: &clients, scratch)
  }

  /// Keeps who took part in the round before; a run that is continued draws them anew.
  private func remember(_ round: Int, began moment: Double) {
    if round > 0, latestRound != round - 1 {
      clients.removeAll(keepingCapacity: true)
      draw(round - 1, moment)
    }
    swap(&clients, &before)
    latestRound = round
  }

  /// Marks those who took part in the round before: both lists ascend.
  private func follow() {
    isFollower.removeAll(keepingCapacity: true)
    var place = 0
    for client in clients {
      while place < before.count, before[place] < client { place += 1 }
      isFollower.append(place < before.count && before[place] == client)
    }
  }

  /// Bytes that a place is sent.
  private func bytesDown(_ place: Int, _ plan: FederatedPlan) -> Int {
    isFollowing(place) ? plan.downloadBytes.follower : plan.downloadBytes.other
  }

  /// Whether a place's client took part in the round before, where that makes a difference.
  func isFollowing(_ place: Int) -> Bool { !isFollower.isEmpty && isFollower[place] }

  /// Whose update comes in time.
  private func wait(_ round: Int, _ plan: FederatedPlan) {
    let (devices, seed) = (setting.devices, task.seed)
    durations.removeAll(keepingCapacity: true)
    for place in 0..<count {
      let client = Int(clients[place])
      // Not fewer for followers: what happens must not depend on whether a run was continued.
      let duration = devices.seconds(
        client, samples: samples[place] * epochs[place], bytesDown: plan.downloadBytes.other,
        bytesUp: plan.uploadBytes, seed: seed)
      durations.append(
        isWaitedFor[place] && !devices.vanishes(client, round: round, seed: seed) ? duration : .infinity)
    }
    var wanted = count
    if case .fixed(let cohort) = setting.sampling { wanted = cohort }
    seconds = devices.finish(durations, wanted: wanted, into: &inTime)
    // Where nobody is there, time goes on all the same.
    if count == 0 { seconds = devices.deadline ?? Cohort.patience }
    for place in 0..<count { isWaitedFor[place] = false }
    for place in inTime { isWaitedFor[Int(place)] = true }
  }

  /// What became of a place; every place is written by one thread.
  func record(_ record: VisitRecord, _ place: Int) { record.write(words.baseAddress! + place * VisitRecord.words) }

  func record(_ place: Int) -> VisitRecord {
    guard isVisited(place) else {
      var record = VisitRecord()
      record.status = samples[place] == 0 ? .empty : .lost
      return record
    }
    return VisitRecord(words.baseAddress! + place * VisitRecord.words)
  }

  /// What became of all places.
  func visits(_ plan: FederatedPlan) -> [ClientRecord] {
    (0..<count).map { place in
      let record = record(place)
      return ClientRecord(
        client: Int(clients[place]), status: ClientRecord.Status(record.status), samples: samples[place],
        steps: record.steps, bytesUp: record.bytesUp,
        bytesDown: record.bytesDown ?? bytesDown(place, plan), version: version(place))
    }
  }

  /// Places whose update was taken, in client order.
  var acceptedPlaces: [Int] { (0..<count).filter { record($0).status == .accepted } }

  /// The weights of those.
  private(set) var acceptedWeight = 0
  /// How many those are.
  private(set) var accepted = 0

  /// The sums over all places, and how many clients were not clipped.
  func summary(_ plan: FederatedPlan) -> (RoundRecord, whole: Int) {
    var summary = RoundRecord()
    var (loss, terms, whole, age) = (0.0, 0, 0, 0)
    acceptedWeight = 0
    for place in 0..<count {
      let record = record(place)
      summary.selected += 1
      summary.bytesDown += record.bytesDown ?? bytesDown(place, plan)
      switch record.status {
      case .accepted:
        summary.updates += 1
        acceptedWeight += weights[place]
        age += version(place).map { newest - $0 } ?? 0
        whole += record.isWhole ? 1 : 0
      case .rejected: summary.rejected += 1
      case .empty: summary.empty += 1
      case .lost, .unknown: summary.lost += 1
      }
      summary.bytesUp += record.bytesUp
      if record.status == .accepted {
        loss += record.loss
        terms += record.terms
        summary.steps += record.steps
      }
    }
    summary.samples = terms / task.training.termsPerSample
    summary.loss = terms > 0 ? loss / Double(terms) : nil
    summary.simulatedSeconds = seconds
    summary.refusal = refusal
    accepted = summary.updates
    if !versions.isEmpty, accepted > 0 { summary.others["staleness"] = Double(age) / Double(accepted) }
    return (summary, whole)
  }
}
