import Strategies
import Tensors
import Testing

@Suite("Buckets")
struct BucketsTests {
  /// Parameters of the given sizes, one after the other.
  private func layout(_ sizes: [Int]) -> ParameterLayout {
    var scope = ParameterScope()
    for (index, size) in sizes.enumerated() { _ = scope.parameter("p\(index)", [size], .constant(0)) }
    return scope.layout
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let sizes: [Int]
    let tail: Int
    let bucket: Int
    var testDescription: String { "\(sizes.count) parameters, \(tail) behind, buckets of \(bucket)" }
  }

  static let cases = [
    Case(sizes: [10], tail: 3, bucket: 1024),
    Case(sizes: [400_000, 512, 262_144, 512, 5_120, 10], tail: 3, bucket: 1 << 17),
    Case(sizes: [1, 2, 3, 4, 5], tail: 0, bucket: 4),
    Case(sizes: [1_000_000, 1], tail: 40, bucket: 1024),
    Case(sizes: [1, 1_000_000], tail: 40, bucket: 1024),
    Case(sizes: Array(repeating: 100, count: 50), tail: 7, bucket: 1000),
    Case(sizes: [5], tail: 5_000, bucket: 1024),
  ]

  @Test("cover the block from its end, without gap or overlap", arguments: cases)
  func cover(_ example: Case) {
    let layout = layout(example.sizes)
    let count = layout.parameterCount + example.tail
    let ready = Array(example.sizes.indices.reversed())
    let buckets = Buckets(layout: layout, gradientReady: ready, count: count, scalars: example.bucket)
    var end = count
    for range in buckets.ranges {
      #expect(range.upperBound == end)
      #expect(!range.isEmpty)
      end = range.lowerBound
    }
    #expect(end == 0)
    #expect(buckets.ready.count == buckets.ranges.count)
  }

  @Test("never cut a parameter, and fill up before the next one begins", arguments: cases)
  func whole(_ example: Case) {
    let layout = layout(example.sizes)
    let count = layout.parameterCount + example.tail
    let buckets = Buckets(
      layout: layout, gradientReady: example.sizes.map { _ in 1 }, count: count, scalars: example.bucket)
    for parameter in layout.parameters {
      #expect(buckets.ranges.filter { $0.overlaps(parameter.range) }.count == 1)
    }
    for (index, range) in buckets.ranges.enumerated() where range.lowerBound > 0 {
      let limit = index == 0 ? example.bucket / 4 : example.bucket
      #expect(range.count >= limit)
      // Without its first parameter it would have been too small.
      let first = layout.parameters.first { $0.range.lowerBound == range.lowerBound }?.range.count ?? 0
      #expect(range.count - first < limit)
    }
  }

  @Test("are ready when the last of their gradients is", arguments: cases)
  func ready(_ example: Case) {
    let layout = layout(example.sizes)
    let count = layout.parameterCount + example.tail
    // Not quite from last to first, as with a tied weight that becomes final late.
    let moments = example.sizes.indices.map { 1_000 - 3 * $0 + ($0 % 3) * 5 }
    let buckets = Buckets(layout: layout, gradientReady: moments, count: count, scalars: example.bucket)
    for (range, ready) in zip(buckets.ranges, buckets.ready) {
      let inside = layout.parameters.indices.filter { range.overlaps(layout.parameters[$0].range) }
      #expect(ready == inside.map { moments[$0] }.max())
    }
  }

  @Test("of gradients that come from last to first become ready in order")
  func order() {
    let layout = layout(Array(repeating: 600, count: 40))
    let buckets = Buckets(
      layout: layout, gradientReady: (0..<40).map { 200 - 2 * $0 }, count: layout.parameterCount + 3, scalars: 2048)
    #expect(buckets.ranges.count > 5)
    #expect(zip(buckets.ready, buckets.ready.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test("of a model without parameters hold what rides behind them")
  func empty() {
    let buckets = Buckets(layout: layout([]), gradientReady: [], count: 3, scalars: 1024)
    #expect(buckets.ranges == [0..<3])
  }
}
