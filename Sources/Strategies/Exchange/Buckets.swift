import Tensors

/// Cuts a gradient block into ranges that are exchanged one by one, so that the exchange overlaps with the rest of the
/// backward pass.
///
/// Gradients become final roughly from the last parameter to the first, so buckets run from the end of the block.  The tail
/// behind the parameters (statistics, loss) is final after the forward pass and rides with the first bucket.
public struct Buckets: Sendable {
  /// Ranges of scalars, in the order in which they are exchanged: the same on every rank.
  public let ranges: [Range<Int>]
  /// For each bucket, the instructions of a step after which its gradients are final.
  public let ready: [Int]

  /// A size that leaves little to exchange after the last gradient is there, and few enough messages: an eighth of the
  /// block, between 64 KiB and 4 MiB.
  public static func size(for count: Int) -> Int { min(1 << 20, max(1 << 14, count / 8)) }

  /// Buckets of about `scalars` scalars of a block of `count`; the first is a quarter of that, so that the exchange starts
  /// early.  A parameter never lies in two buckets, so one larger than a bucket makes a larger bucket.  Where `owned` says
  /// which parameters have gradients here, by their places, others lie in no bucket.
  public init(layout: ParameterLayout, gradientReady: [Int], count: Int, scalars: Int, owned: Set<Int>? = nil) {
    var ranges: [Range<Int>] = []
    var ready: [Int] = []
    var end = count
    var latest = 0
    for (index, parameter) in layout.parameters.enumerated().reversed() {
      if let owned, !owned.contains(index) {
        if end > parameter.range.upperBound {
          ranges.append(parameter.range.upperBound..<end)
          ready.append(latest)
        }
        (end, latest) = (parameter.range.lowerBound, 0)
        continue
      }
      latest = max(latest, gradientReady[index])
      let start = parameter.range.lowerBound
      let limit = ranges.isEmpty ? scalars / 4 : scalars
      if end - start >= limit || index == 0 {
        ranges.append(start..<end)
        ready.append(latest)
        end = start
        latest = 0
      }
    }
    if layout.parameters.isEmpty, count > 0 {
      ranges.append(0..<count)
      ready.append(0)
    }
    self.ranges = ranges
    self.ready = ready
  }
}
