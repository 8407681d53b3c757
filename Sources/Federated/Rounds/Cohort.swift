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
  private var durations: [Double] = []
  private var inTime: [Int32] = []
  private(set) var totalWeight = 0
  private var seconds = 0.0
  private var words = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 0)

  init(_ task: FederatedTask, _ setting: FederatedSetting, weighting: Weighting) {
    self.task = task
    self.setting = setting
    self.weighting = weighting
    sampler = setting.sampler(task)
  }

  deinit { words.deallocate() }

  var count: Int { clients.count }

  /// The records of all places.
  var records: UnsafeMutableBufferPointer<Int64> { .init(rebasing: words[..<(count * VisitRecord.words)]) }

  func isVisited(_ place: Int) -> Bool { isWaitedFor[place] && samples[place] > 0 }

  /// Who takes part in a round that begins at a simulated moment.
  func select(_ round: Int, _ moment: Double, _ plan: FederatedPlan) {
    let (devices, seed) = (setting.devices, task.seed)
    clients.removeAll(keepingCapacity: true)
    sampler.select(
      round: round, isAvailable: { devices.isIdeal || devices.isAvailable($0, at: moment, round: round, seed: seed) },
      into: &clients, scratch)
    samples.removeAll(keepingCapacity: true)
    epochs.removeAll(keepingCapacity: true)
    isWaitedFor.removeAll(keepingCapacity: true)
    for client in clients {
      samples.append(task.partition.count(of: Int(client)))
      let passes = setting.epochs(client: Int(client), round: round, task)
      epochs.append(max(1, passes ?? 0))
      isWaitedFor.append(passes != nil)
    }
    seconds = 0
    if !devices.isIdeal { wait(round, plan) }
    weights.removeAll(keepingCapacity: true)
    weights.append(contentsOf: repeatElement(0, count: count))
    samples.withUnsafeBufferPointer { samples in
      weights.withUnsafeMutableBufferPointer { weighting.weigh(samples, into: $0) }
    }
    totalWeight = weights.reduce(0, +)
    if words.count < count * VisitRecord.words {
      words.deallocate()
      words = .allocate(capacity: count * VisitRecord.words)
    }
    words.initialize(repeating: 0)
  }

  /// Whose update comes in time.
  private func wait(_ round: Int, _ plan: FederatedPlan) {
    let (devices, seed) = (setting.devices, task.seed)
    durations.removeAll(keepingCapacity: true)
    for place in 0..<count {
      let client = Int(clients[place])
      let duration = devices.seconds(
        client, samples: samples[place] * epochs[place], bytesDown: plan.downloadBytes.other,
        bytesUp: plan.uploadBytes, seed: seed)
      durations.append(
        isWaitedFor[place] && !devices.vanishes(client, round: round, seed: seed) ? duration : .infinity)
    }
    seconds = devices.finish(durations, wanted: task.cohort, into: &inTime)
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

  /// Bytes that the client at a place was sent.
  private func bytesDown(_ place: Int, _ plan: FederatedPlan) -> Int { plan.downloadBytes.other }

  /// What became of all places.
  func visits(_ plan: FederatedPlan) -> [ClientRecord] {
    (0..<count).map { place in
      let record = record(place)
      return ClientRecord(
        client: Int(clients[place]), status: ClientRecord.Status(record.status), samples: samples[place],
        steps: record.steps, bytesUp: record.bytesUp, bytesDown: bytesDown(place, plan))
    }
  }

  /// Places whose update was taken, in client order.
  var acceptedPlaces: [Int] { (0..<count).filter { record($0).status == .accepted } }

  /// The weights of those.
  private(set) var acceptedWeight = 0

  /// The sums over all places, and how many clients were not clipped.
  func summary(_ plan: FederatedPlan) -> (RoundRecord, whole: Int) {
    var summary = RoundRecord()
    var (loss, terms, whole) = (0.0, 0, 0)
    acceptedWeight = 0
    for place in 0..<count {
      let record = record(place)
      summary.selected += 1
      summary.bytesDown += bytesDown(place, plan)
      switch record.status {
      case .accepted:
        summary.updates += 1
        acceptedWeight += weights[place]
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
    summary.samples = terms / task.objective.termsPerSample
    summary.loss = terms > 0 ? loss / Double(terms) : nil
    summary.simulatedSeconds = seconds
    return (summary, whole)
  }
}
