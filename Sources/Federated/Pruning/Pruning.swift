import Configuration
import Glibc
import Tensors

/// Pruning to a density by scores, in steps: the exponential schedule of synaptic flow, one threshold over all layers.
public enum Pruning {
  /// Keeps ⌈ρN⌉ of the N prunable scalars after the last of `steps`, ρ^(i/steps) N after step i (Tanaka, Kunin, Yamins, Ganguli,
  /// NeurIPS 2020, algorithm 1): those with the greatest scores; what was pruned stays so.
  ///
  /// `score` writes the scores of the network under the present mask; those of pruned scalars do not matter.
  /// Deviation: of equal scores the earlier scalars stay, where keeping strictly greater ones loses all of them.
  /// Throws where a score is not finite or a layer would lose all its weights.
  public static func prune(
    _ layout: ParameterLayout, density: Double, steps: Int,
    score: (_ mask: PruningMask, _ scores: UnsafeMutablePointer<Double>) throws(ConfigurationError) -> Void
  ) throws(ConfigurationError) -> PruningMask {
    precondition(steps >= 1, "pruning in \(steps) steps")
    guard density > 0, density <= 1 else {
      throw ConfigurationError("pruning to density \(density): choose one above 0, which keeps nothing, and at most 1")
    }
    var mask = PruningMask(layout)
    let scores = UnsafeMutablePointer<Double>.allocate(capacity: mask.count)
    defer { scores.deallocate() }
    scores.initialize(repeating: 0, count: mask.count)
    for step in 1...steps {
      try score(mask, scores)
      let share = pow(density, Double(step) / Double(steps))
      try requireNumbers(mask, scores)
      keep(keptCount(of: mask.prunableCount, density: share), of: &mask, mask.prunable, scores)
      try requireLayers(layout, mask, density)
    }
    return mask
  }

  /// ⌈ρN⌉: what pruning N scalars to a density keeps.
  public static func keptCount(of count: Int, density: Double) -> Int { count - Int((1 - density) * Double(count)) }

  /// Keeps the `kept` greatest scores among what is kept in some ranges, of equal ones the earlier.
  static func keep(
    _ kept: Int, of mask: inout PruningMask, _ ranges: [Range<Int>], _ scores: UnsafePointer<Double>
  ) {
    // The threshold by its binary digits, greatest first: a histogram of 16 at a time, of what agrees so far.
    var (prefix, left) = (UInt64(0), kept)
    var counts = [Int](repeating: 0, count: 1 << 16)
    for shift in [48, 32, 16, 0] as [UInt64] {
      for digit in counts.indices { counts[digit] = 0 }
      for range in ranges {
        for i in range where mask[i] {
          let key = key(scores[i])
          if shift == 48 || key >> (shift + 16) == prefix { counts[Int(key >> shift & 0xFFFF)] += 1 }
        }
      }
      var digit = counts.count - 1
      while digit > 0, counts[digit] < left {
        left -= counts[digit]
        digit -= 1
      }
      prefix = prefix << 16 | UInt64(digit)
    }
    for range in ranges {
      for i in range where mask[i] {
        let key = key(scores[i])
        if key == prefix, left > 0 { left -= 1 } else if key <= prefix { mask[i] = false }
      }
    }
  }

  /// Throws where a score is not finite.
  private static func requireNumbers(
    _ mask: PruningMask, _ scores: UnsafePointer<Double>
  ) throws(ConfigurationError) {
    for range in mask.prunable {
      for i in range where mask[i] && !scores[i].isFinite {
        throw ConfigurationError(
          "the pruning score of scalar \(i) is \(scores[i]); check the weights, or choose another criterion")
      }
    }
  }

  /// Throws, with their names, where layers lost all their weights.
  private static func requireLayers(
    _ layout: ParameterLayout, _ mask: PruningMask, _ density: Double
  ) throws(ConfigurationError) {
    let lost = layout.parameters.filter {
      $0.shape.rank > 1 && !$0.range.isEmpty && mask.keptCount(in: $0.range) == 0
    }
    if lost.isEmpty { return }
    throw ConfigurationError(
      "pruning to density \(density) leaves no weight of \(lost.map { "`\($0.name)`" }.joined(separator: ", ")) (layer "
        + "collapse); raise the density, take more steps, or choose the criterion synflow")
  }

  /// Bits that order as the numbers do; −0 counts as 0.
  private static func key(_ score: Double) -> UInt64 {
    let bits = (score + 0).bitPattern
    return bits >> 63 == 0 ? bits | 1 << 63 : ~bits
  }
}
