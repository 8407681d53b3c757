import Learning
import Tensors

/// How modules are dealt to stages: consecutive ones, so that the slowest stage has as little to do as can be.
package enum StageCut {
  /// Samples of the programs that are compared; more tell nothing more.
  private static let batch = 8

  /// The modules of each stage, by floating-point operations of their steps.
  static func modules(of learning: any ModularLearning, stages: Int, _ compute: Compute) -> [Range<Int>] {
    let costs = learning.modules.indices.map { module in
      1 + Programs.training(learning, modules: module..<module + 1, compute, batch: batch).flops
    }
    return cut(costs, into: stages)
  }

  /// Consecutive ranges, none empty, whose largest sum is smallest; of several such cuts the one whose first ranges are
  /// shortest.
  package static func cut(_ costs: [Int], into parts: Int) -> [Range<Int>] {
    precondition(parts > 0 && parts <= costs.count, "\(costs.count) modules in \(parts) stages")
    // best[k][n]: the largest sum of the best cut of the first n costs into k + 1 ranges, and where its last range begins.
    var sums = [0]
    for cost in costs { sums.append(sums[sums.count - 1] + cost) }
    var best = [(0...costs.count).map { (largest: sums[$0], start: 0) }]
    for part in 1..<max(parts, 2) where part < parts {
      let before = best[part - 1]
      best.append(
        (0...costs.count).map { end in
          var found = (largest: Int.max, start: end)
          for start in part..<max(part, end) where max(before[start].largest, sums[end] - sums[start]) < found.largest {
            found = (max(before[start].largest, sums[end] - sums[start]), start)
          }
          return found
        })
    }
    var ranges: [Range<Int>] = []
    var end = costs.count
    for part in (0..<parts).reversed() {
      let start = part == 0 ? 0 : best[part][end].start
      ranges.append(start..<end)
      end = start
    }
    return ranges.reversed()
  }
}
