import Dispatch
import Federated
import Tensors

/// Updates of a cohort, kept alive for the rules that look at them.
struct Cohort {
  let updates: [[Float]]
  var weights: [Int]

  /// Normal numbers around a common direction.
  init(clients: Int, count: Int, seed: UInt64 = 1) {
    updates = (0..<clients).map { client in
      var random = RandomStream(seed: seed, .test, sample: UInt64(client))
      return (0..<count).map { Float($0 % 7) * 0.1 + random.normal() }
    }
    weights = Array(repeating: 1, count: clients)
  }

  init(_ updates: [[Float]], weights: [Int]? = nil) {
    self.updates = updates
    self.weights = weights ?? Array(repeating: 1, count: updates.count)
  }

  /// What a rule makes of them.
  func combined(by rule: any RobustRule, workers: Workers = .one, scratch: RobustScratch = RobustScratch()) -> [Float] {
    var result = [Float](repeating: .nan, count: updates[0].count)
    withSet { set in
      result.withUnsafeMutableBufferPointer { rule.combine(set, into: $0.baseAddress!, scratch, workers) }
    }
    return result
  }

  func withSet(_ body: (UpdateSet) -> Void) {
    let storages = updates.map { update in
      let storage = Storage(zeros: update.count)
      for i in update.indices { storage.base[i] = update[i] }
      return storage
    }
    withExtendedLifetime(storages) {
      body(UpdateSet(storages.map { UnsafePointer($0.base) }, weights: weights, count: updates[0].count))
    }
  }

  /// The exact mean by the sum of integers.
  func mean(weights: [Int]) -> [Float] {
    let sum = FixedPointSum(count: updates[0].count)
    let scale = FixedPointScale(totalWeight: weights.reduce(0, +))
    for (update, weight) in zip(updates, weights) {
      _ = update.withUnsafeBufferPointer { sum.add($0, weight: weight, scale) }
    }
    var mean = [Float](repeating: 0, count: updates[0].count)
    mean.withUnsafeMutableBufferPointer { sum.mean(scale, into: $0) }
    return mean
  }
}

extension Workers {
  /// Runs pieces one after the other, last first: what depends on the cut or the order would show.
  static func backwards(_ count: Int) -> Workers {
    Workers(count: count) { body in
      for worker in (0..<count).reversed() { body(worker) }
    }
  }

  /// Runs all pieces at once.
  static func threads(_ count: Int) -> Workers {
    Workers(count: count) { body in DispatchQueue.concurrentPerform(iterations: count) { body($0) } }
  }
}
