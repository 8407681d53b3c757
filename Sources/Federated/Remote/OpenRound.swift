import Datasets
import Tensors

/// A round whose uploads are on their way: who is asked for what, and where uploads go.  One thread uses it, and only until
/// ``RemoteVisits/visit(_:)`` returns.
public struct OpenRound {
  /// Rounds before this one.
  public let index: Int
  /// The fixed point of its sums.
  public let scale: FixedPointScale
  private let engine: FederatedEngine
  private let cohort: Cohort
  private let learningRate: Double
  private let limit: Double?
  private let together: UnsafeMutableBufferPointer<Float>?

  init(
    _ engine: FederatedEngine, _ cohort: Cohort, _ index: Int, _ learningRate: Double, _ scale: FixedPointScale,
    _ together: UnsafeMutableBufferPointer<Float>?
  ) {
    (self.engine, self.cohort, self.index, self.learningRate) = (engine, cohort, index, learningRate)
    (self.scale, self.together) = (scale, together)
    limit = engine.changeLimit
  }

  /// Places of the round, in the order of clients.
  public var places: Range<Int> { 0..<cohort.count }

  /// Whose place it is.
  public func client(_ place: Int) -> Int { Int(cohort.clients[place]) }

  /// Whether a place is waited for: its client has samples, and is not left out.
  public func isVisited(_ place: Int) -> Bool { cohort.isVisited(place) }

  /// Whether a place's client took part in the round before.
  public func isFollowing(_ place: Int) -> Bool { cohort.isFollowing(place) }

  /// Clients whose uploads are masked together, as far as each of them can know; 0 where none are.
  public var masked: Int { cohort.masked }

  /// What a place's client is asked to do.
  public func order(_ place: Int) -> VisitOrder {
    VisitOrder(
      round: index, epochs: cohort.epochs[place], learningRate: learningRate, weight: cohort.weights[place],
      totalWeight: max(1, cohort.totalWeight), changeLimit: limit)
  }

  /// Adds the upload of a place's client.  Throws for what no client makes, and then nothing is added or recorded; an update
  /// that is not finite, too large or longer than was ordered is recorded as rejected.  Bytes are those that travelled.
  public func take(
    _ packed: SafetensorsView, _ report: VisitReport, of place: Int, bytesUp: Int, bytesDown: Int
  ) throws(DataError) -> ClientRecord.Status {
    let worker = engine.workers[0]
    let visit = worker.visit
    visit.client = client(place)
    visit.round = index
    try report.check()
    try worker.unpack(packed, samples: cohort.samples[place], engine.server)
    visit.outcome.loss = report.loss
    let isTaken = report.isAcceptable && worker.isAcceptable && OpenRound.isShortEnough(visit, limit)
    if isTaken {
      worker.add(
        weight: cohort.weights[place], scale,
        together: together.flatMap(\.baseAddress).map { $0 + place * engine.plan.uploads[0].count })
    }
    return record(place, report, isTaken ? .accepted : .rejected, bytesUp: bytesUp, bytesDown: bytesDown)
  }

  /// Whether changes are as short as was ordered, but for what rounding may add.  Those that were compressed have been clipped
  /// again.
  static func isShortEnough(_ visit: ClientVisit, _ limit: Double?) -> Bool {
    guard let limit else { return true }
    return visit.plan.changes.allSatisfy { part in
      let scalars = visit.upload.scalars(part)
      guard let base = scalars.baseAddress else { return true }
      return Reductions.squares(base, scalars.count).squareRoot() <= limit * (1 + 0x1p-20)
    }
  }

  /// Records what became of a place whose upload was added in another way, or not at all.  A report must have passed
  /// ``VisitReport/check()``.
  @discardableResult
  public func record(
    _ place: Int, _ report: VisitReport?, _ status: ClientRecord.Status, bytesUp: Int, bytesDown: Int
  ) -> ClientRecord.Status {
    var record = VisitRecord()
    if let report {
      (record.steps, record.loss, record.terms) = (report.steps, report.loss, report.terms)
      record.isWhole = report.isWhole
    }
    record.status = VisitRecord.Status(status)
    record.bytesUp = bytesUp
    record.bytesDown = bytesDown
    cohort.record(record, place)
    return status
  }

  /// Takes back all that was added: whoever was counted is lost, and the round will be skipped.
  public func abandon() {
    engine.workers[0].clear()
    for place in places where cohort.isVisited(place) && cohort.record(place).status == .accepted {
      var record = cohort.record(place)
      record.status = .lost
      cohort.record(record, place)
    }
  }

  /// What uploads of a part have come to so far: sums, votes, or sums of integers.  For tests of what leaves no trace.
  package func words(_ part: Int) -> [Int64] {
    let worker = engine.workers[0]
    if let sum = worker.sums[part] { return Array(sum.words) }
    if let votes = worker.votes[part] { return votes.words.map { Int64($0) } }
    return worker.integers[part].map { Array($0) } ?? []
  }

  // MARK: Sums of masked uploads

  /// The parts of masked uploads.
  public var maskedLayout: MaskedLayout { MaskedLayout(engine.plan) }

  /// Takes the sums of masked uploads, and records whose they were: the first stands for what all have told.
  public func take(
    _ sum: UnsafeBufferPointer<UInt64>, of survivors: [Int], bytesUp: Int, bytesDown: (_ place: Int) -> Int
  ) {
    let worker = engine.workers[0]
    let layout = maskedLayout
    layout.read(
      sum, weight: survivors.reduce(0) { $0 + cohort.weights[$1] }, updates: survivors.count, sums: worker.sums,
      votes: worker.votes, integers: worker.integers)
    let totals = layout.totals(sum)
    for (index, place) in survivors.enumerated() {
      let report = VisitReport(
        steps: index == 0 ? totals.steps : 0, loss: index == 0 ? totals.loss : 0, terms: index == 0 ? totals.terms : 0,
        isWhole: index < totals.whole, isAcceptable: true)
      record(place, report, .accepted, bytesUp: bytesUp, bytesDown: bytesDown(place))
    }
  }
}
