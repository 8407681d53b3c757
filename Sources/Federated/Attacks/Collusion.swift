import Tensors

/// What attackers send who look at the changes of all others first: "a little is enough" (Baruch, Baruch, Goldberg, NeurIPS 2019,
/// algorithm 3).
///
/// It is done on every rank alike, once all changes of a round are there.  m counts the updates that were taken, f the attackers
/// among them.  With fewer than two honest ones the attackers send what they have trained.  Cost: two passes over all changes.
final class Collusion {
  private let attackers: Attackers
  private let z: Double?
  private let power: Double
  private let limit: ChangeLimit?

  /// Changes longer than `limit` are clipped, as those of others are.
  init(z: Double?, power: Double, _ attackers: Attackers, _ limit: ChangeLimit?) {
    self.attackers = attackers
    self.z = z
    self.power = power
    self.limit = limit
  }

  /// Replaces the attackers' rows of `changes`, which has `count` scalars for each place of the cohort.
  func replace(_ changes: UnsafeMutablePointer<Float>, count: Int, _ cohort: Cohort, _ workers: Workers) {
    let places = cohort.acceptedPlaces
    let honest = places.filter { !attackers.contains(Int(cohort.clients[$0])) }
    let colluding = places.filter { attackers.contains(Int(cohort.clients[$0])) }
    guard let first = colluding.first, honest.count >= 2 else { return }
    let z = z ?? Attack.littleIsEnough(clients: places.count, attackers: colluding.count)
    let weights = honest.map { cohort.weights[$0] }
    nonisolated(unsafe) let rows = changes
    let (power, sent) = (power, first * count)
    workers.run { worker in
      let part = workers.part(worker, of: count, grain: RobustScratch.lanes)
      if part.isEmpty { return }
      let stretch = UpdateSet(
        honest.map { UnsafePointer(rows + $0 * count + part.lowerBound) }, weights: weights, count: part.count)
      Attack.littleIsEnough(stretch, z: z, power: power, into: rows + sent + part.lowerBound)
    }
    let row = UnsafeMutableBufferPointer(start: changes + sent, count: count)
    if let limit { _ = NormClipping.clip(row, to: limit.norm) }
    let isAccepted = FixedPointScale.accepts(changes + sent, count: count)
    for place in colluding {
      if place != first { (changes + place * count).update(from: changes + sent, count: count) }
      if isAccepted { continue }
      var record = cohort.record(place)
      record.status = .rejected
      cohort.record(record, place)
    }
  }
}
