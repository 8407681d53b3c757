import Configuration

/// The update whose m − f − 2 nearest others are nearest: the least sum of squared distances (Blanchard, El Mhamdi, Guerraoui,
/// Stainer, NeurIPS 2017, section 4).  Cost: m²/2 passes over an update.
public struct Krum: RobustRule {
  /// f: clients that may attack.
  public let attackers: Int

  /// Stands up to `attackers` clients.
  public init(attackers: Int) {
    precondition(attackers >= 0, "\(attackers) attackers")
    self.attackers = attackers
  }

  /// Its name and options.
  public static let kind = RobustRuleKind("krum", "takes the change that is nearest to its neighbours") {
    (options) throws(ConfigurationError) in Krum(attackers: try attackers(&options))
  }

  static func attackers(_ options: inout Options) throws(ConfigurationError) -> Int {
    try options.integer("attackers", in: 0...1 << 20, unit: "clients", "clients of a cohort that may attack")
  }

  /// m ≥ 2f + 3.
  public func check(clients: Int) throws(ConfigurationError) {
    try require(2 * attackers + 3, of: clients, because: "2f + 3 with f = \(attackers) attackers")
  }

  /// Replaces `result`.
  public func combine(
    _ set: UpdateSet, into result: UnsafeMutablePointer<Float>, _ scratch: RobustScratch, _ workers: Workers
  ) {
    scratch.measurePairs(set, workers)
    scratch.chosen.update(repeating: false)
    let best = scratch.krum(set.clients, neighbours: set.clients - attackers - 2)
    result.update(from: set.updates[best], count: set.count)
  }
}

/// The exact mean of the q updates with the lowest Krum scores (Blanchard et al. 2017, section 5), unweighted.
public struct MultiKrum: RobustRule {
  /// f: clients that may attack.
  public let attackers: Int
  /// q: updates that are averaged; nil for m − f.
  public let selected: Int?

  /// Stands up to `attackers` clients.
  public init(attackers: Int, selected: Int? = nil) {
    precondition(attackers >= 0 && selected ?? 1 >= 1, "\(attackers) attackers, \(selected ?? 1) selected")
    self.attackers = attackers
    self.selected = selected
  }

  /// Its name and options.
  public static let kind = RobustRuleKind("multi-krum", "averages the changes that are nearest to their neighbours") {
    (options) throws(ConfigurationError) in
    MultiKrum(
      attackers: try Krum.attackers(&options),
      selected: try options.optionalInteger(
        "selected", in: 1...1 << 20, unit: "clients",
        "updates that are averaged; the cohort less the attackers if absent"))
  }

  /// m ≥ 2f + 3, and no more selected than there are.
  public func check(clients: Int) throws(ConfigurationError) {
    try require(2 * attackers + 3, of: clients, because: "2f + 3 with f = \(attackers) attackers")
    if let selected { try require(selected, of: clients, because: "as many as are selected") }
  }

  /// Replaces `result`.
  public func combine(
    _ set: UpdateSet, into result: UnsafeMutablePointer<Float>, _ scratch: RobustScratch, _ workers: Workers
  ) {
    scratch.measurePairs(set, workers)
    scratch.chosen.update(repeating: false)
    let clients = set.clients
    for client in 0..<clients {
      scratch.scores[client] = scratch.score(client, clients, neighbours: clients - attackers - 2)
    }
    // Pairs are done with: the first row of `nearest` takes the order of scores.
    let order = UnsafeMutableBufferPointer(rebasing: scratch.nearest[0..<clients])
    PairDistances.order(order, by: UnsafeBufferPointer(rebasing: scratch.scores[0..<clients]))
    let selected = selected ?? clients - attackers
    let weight = set.commonWeight
    let scale = FixedPointScale(totalWeight: weight * selected)
    scratch.prepareColumns(set, workers, rows: set.clients)
    nonisolated(unsafe) let (shared, target) = (order, result)
    workers.run { worker in
      let sums = scratch.laneSums(worker)
      let part = workers.part(worker, of: set.count, grain: RobustScratch.lanes)
      for first in stride(from: part.lowerBound, to: part.upperBound, by: RobustScratch.lanes) {
        let count = min(RobustScratch.lanes, part.upperBound - first)
        sums.update(repeating: 0, count: count)
        for place in 0..<selected {
          scale.add(set.updates[Int(shared[place])] + first, weight: weight, to: sums, count: count)
        }
        scale.mean(sums, weight: weight * selected, into: target + first, count: count)
      }
    }
  }
}
