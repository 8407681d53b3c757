import Datasets
import Tensors

/// The buffer of an asynchronous server that waits for updates: whose may come, from which version, and where they go.  One
/// thread uses it, and only until ``RemoteVisits/fill(_:)`` returns.
public final class OpenBuffer {
  /// Updates of the server before this one, which is the newest version of its model.
  public let index: Int
  /// How old updates may be, and how many are needed.
  public let options: AsynchronousOptions
  /// Updates that were taken.
  public private(set) var updates = 0
  private let engine: FederatedEngine
  private let scale: FixedPointScale
  private var known: [Int: (visit: BufferedVisit, record: VisitRecord)] = [:]

  init(_ engine: FederatedEngine, _ index: Int, _ options: AsynchronousOptions) {
    (self.engine, self.index, self.options) = (engine, index, options)
    scale = FixedPointScale(totalWeight: options.totalWeight)
  }

  /// Whether the model can be moved.
  public var isFull: Bool { updates >= options.buffer }

  /// Whether an update from a version may still count.
  public func allows(_ version: Int) -> Bool { version >= 0 && 0...options.mostStale ~= index - version }

  /// What a client is asked to do with a version.
  public func order(_ client: Int, version: Int) -> VisitOrder {
    let task = engine.task
    return VisitOrder(
      round: version, epochs: task.local.epochs(client: client, round: version, seed: task.seed),
      learningRate: task.learningRate(round: version), weight: Staleness.unit, totalWeight: options.totalWeight,
      changeLimit: engine.changeLimit)
  }

  /// Adds the upload of a client.  Throws for what no client makes; an update that is not finite, too large or longer than was
  /// ordered is recorded as rejected.  Precondition: the version is allowed, and nothing of the client was taken before.
  public func take(
    _ packed: SafetensorsView, _ report: VisitReport, of client: Int, version: Int, samples: Int, bytesUp: Int,
    bytesDown: Int
  ) throws(DataError) -> ClientRecord.Status {
    precondition(allows(version) && known[client]?.record.status != .accepted, "client \(client), version \(version)")
    let worker = engine.workers[0]
    let visit = worker.visit
    (visit.client, visit.round) = (client, version)
    try report.check()
    try worker.unpack(packed, samples: samples, engine.server)
    visit.outcome.loss = report.loss
    var isTaken = report.isAcceptable && OpenRound.isShortEnough(visit, engine.changeLimit)
    if isTaken {
      if let shift = worker.shift, let versions = engine.versions {
        shift.apply(visit.upload, from: versions.version(version, newest: index).model)
      }
      isTaken = worker.isAcceptable
    }
    if isTaken {
      worker.add(weight: options.weight(age: index - version), scale, together: nil)
      updates += 1
    }
    return record(
      client, version: version, samples: samples, report, isTaken ? .accepted : .rejected, bytesUp: bytesUp,
      bytesDown: bytesDown)
  }

  /// Records what became of a visit whose update was not added; what follows on it takes its place.
  @discardableResult
  public func record(
    _ client: Int, version: Int, samples: Int, _ report: VisitReport?, _ status: ClientRecord.Status, bytesUp: Int,
    bytesDown: Int
  ) -> ClientRecord.Status {
    let before = known[client]?.record
    var record = VisitRecord()
    if let report { (record.steps, record.loss, record.terms) = (report.steps, report.loss, report.terms) }
    record.status = VisitRecord.Status(status)
    record.isWhole = report?.isWhole ?? false
    record.bytesUp = bytesUp + (before?.bytesUp ?? 0)
    record.bytesDown = bytesDown + (before?.bytesDown ?? 0)
    // The record says what became of it.
    known[client] = (BufferedVisit(client: Int32(client), version: version, isCounted: true, samples: samples), record)
    return status
  }

  /// What became of whom, in client order.
  var parts: [(visit: BufferedVisit, record: VisitRecord)] {
    known.sorted { $0.key < $1.key }.map(\.value)
  }
}
