import Communication

/// The latest collectives of one group, as this rank called them.
struct CallHistory {
  /// Collectives so far; the latest has this number.
  private(set) var number = 0
  /// Stands for all calls so far. Ranks that ever disagreed have different ones for good, so that a contradiction that
  /// nobody had to wait for stops the next call.
  private(set) var chain = Fingerprint()

  private var calls = Array(repeating: Exchange.barrier, count: capacity)
  private var prints = Array(repeating: UInt64(0), count: capacity)
  private static let capacity = 128

  /// Takes note of a collective of so many ranks.
  mutating func add(_ exchange: Exchange, ranks: Int) {
    let print = exchange.fingerprint(ranks: ranks)
    number += 1
    chain.mix(print)
    calls[number % CallHistory.capacity] = exchange
    prints[number % CallHistory.capacity] = print.value
  }

  /// The n-th call, where it is one of the latest.
  func call(_ n: Int) -> Exchange? { isKnown(n) ? calls[n % CallHistory.capacity] : nil }

  /// What must agree, of the n-th call and those before it, as far as a report has room; nothing where it was not called.
  func fingerprints(to n: Int) -> [UInt64] {
    (0..<Report.fingerprintLimit).map { n - $0 }.prefix(while: isKnown).map { prints[$0 % CallHistory.capacity] }
  }

  /// The first call that another rank made differently, of which the n-th was the latest.
  func firstDifference(from others: [UInt64], to n: Int) -> Int? {
    others.indices.map { n - $0 }.last { isKnown($0) && prints[$0 % CallHistory.capacity] != others[n - $0] }
  }

  private func isKnown(_ n: Int) -> Bool { n > max(0, number - CallHistory.capacity) && n <= number }
}
