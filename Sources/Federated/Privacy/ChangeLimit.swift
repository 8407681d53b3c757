/// The largest norm of a client's change in the round that is on, which all workers read.
///
/// `@unchecked Sendable`: it moves between rounds, while no worker runs.
final class ChangeLimit: @unchecked Sendable {
  /// Infinite where nothing is clipped.
  var norm: Double

  init(_ norm: Double) { self.norm = norm }
}

/// Shortens every change that is longer than the limit.
final class ClippingStage: UploadStage {
  private let limit: ChangeLimit
  private let changes: [Int]
  private let counts: Bool

  /// `counts` says whether this is where the clients that were not clipped are counted.
  init(_ limit: ChangeLimit, _ plan: FederatedPlan, counts: Bool = true) {
    self.limit = limit
    changes = plan.changes
    self.counts = counts
  }

  func apply(_ visit: ClientVisit, _ record: inout VisitRecord) {
    var isWhole = true
    for part in changes where NormClipping.clip(visit.upload.scalars(part), to: limit.norm) > limit.norm {
      isWhole = false
    }
    if counts { record.isWhole = isWhole }
  }
}
