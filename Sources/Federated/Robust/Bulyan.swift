import Configuration

/// θ = m − 2f updates by repeated Krum, each choice leaving the field; then of each coordinate the mean of the θ − 2f values
/// nearest their median (El Mhamdi, Guerraoui, Rouault, ICML 2018, section 4).
///
/// Krum looks at r − f − 2 neighbours of the r updates left, at least 1, since the last fields are smaller than Krum asks for.
/// Of two values equally far from the median the lower one stays.  The mean is exact (``FixedPointScale``).
public struct Bulyan: RobustRule {
  /// f: clients that may attack.
  public let attackers: Int

  /// Stands up to `attackers` clients.
  public init(attackers: Int) {
    precondition(attackers >= 0, "\(attackers) attackers")
    self.attackers = attackers
  }

  /// Its name and options.
  public static let kind = RobustRuleKind("bulyan", "averages the values nearest the median of those that Krum chooses")
  {
    (options) throws(ConfigurationError) in Bulyan(attackers: try Krum.attackers(&options))
  }

  /// m ≥ 4f + 3.
  public func check(clients: Int) throws(ConfigurationError) {
    try require(4 * attackers + 3, of: clients, because: "4f + 3 with f = \(attackers) attackers")
  }

  /// Replaces `result`.
  public func combine(
    _ set: UpdateSet, into result: UnsafeMutablePointer<Float>, _ scratch: RobustScratch, _ workers: Workers
  ) {
    scratch.measurePairs(set, workers)
    scratch.chosen.update(repeating: false)
    let theta = set.clients - 2 * attackers
    for round in 0..<theta {
      let left = set.clients - round
      scratch.chosen[scratch.krum(set.clients, neighbours: max(1, left - attackers - 2))] = true
    }
    let kept = theta - 2 * attackers
    let weight = set.commonWeight
    let scale = FixedPointScale(totalWeight: weight * kept)
    nonisolated(unsafe) let result = result
    scratch.sortedColumns(set, workers, rows: scratch.chosen.baseAddress, count: theta) { tile, first, count, worker in
      let sums = scratch.laneSums(worker)
      sums.update(repeating: 0, count: count)
      for k in 0..<count {
        let column = tile + k
        func value(_ row: Int) -> Double { Double(column[row * RobustScratch.lanes]) }
        let median = (value((theta - 1) / 2) + value(theta / 2)) / 2
        var (low, high) = (0, theta - 1)
        while high - low + 1 > kept {
          if median - value(low) > value(high) - median { low += 1 } else { high -= 1 }
        }
        for row in low...high {
          scale.add(column + row * RobustScratch.lanes, weight: weight, to: sums + k, count: 1)
        }
      }
      scale.mean(sums, weight: weight * kept, into: result + first, count: count)
    }
  }
}
