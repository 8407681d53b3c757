import Communication
import Configuration
import Foundation
import Strategies
import Tensors
import Testing

@Suite("The worked example of the documentation")
struct WorkedExampleTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test("is the source that compiles here")
  func sameSource() throws {
    let page = try String(
      contentsOf: Self.root.appending(path: "Sources/nndist/nndist.docc/AddingAStrategy.md"), encoding: .utf8)
    let source = try String(
      contentsOf: Self.root.appending(path: "Tests/StrategiesTests/Examples/WorkerClipping.swift"), encoding: .utf8)
    let blocks = page.components(separatedBy: "```swift\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    #expect(Array(blocks) == [source])
  }

  @Test("clips every worker, with the same bits for every number of ranks", arguments: 1...4)
  func bits(ranks: Int) throws {
    let shards = 4
    var scope = ParameterScope()
    _ = scope.parameter("large", [40], .constant(0))
    _ = scope.parameter("small", [3], .constant(0))
    let layout = scope.layout
    let count = layout.parameterCount + 3
    /// A shard's gradient: the first parameter's norm is far above the limit, the second's below.
    @Sendable func gradient(_ shard: Int) -> [Float] {
      (0..<count).map { i in Float((i * 7 + shard * 5) % 11 - 5) * (i < 40 ? 3 : 0.01) }
    }
    let outcomes = InProcessCommunicator.run(ranks: ranks) { communicator in
      var options = Options(try Node.parse("limit: 2", file: "test"))
      let strategy = try WorkerClipping(options: &options)
      let tree = ShardTree(shards: shards)
      let plan = ExchangePlan(
        communicator: communicator, tree: tree, layout: layout, buckets: [40..<count, 0..<40], scalars: count, seed: 1)
      try strategy.prepare(plan)
      let blocks = plan.shards.map { shard in
        let block = Storage(zeros: count)
        for (i, value) in gradient(shard).enumerated() { block.base[i] = value }
        return block
      }
      for bucket in 0..<2 { try strategy.gradientsReady(bucket: bucket, blocks) }
      let sum = Array(try strategy.finishGradients(blocks).scalars.prefix(count))
      withExtendedLifetime(blocks) {}
      return sum
    }
    let clipped = (0..<shards).map { shard -> [Float] in
      let all = gradient(shard)
      let norm = all[..<40].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let scale = Float(2 / norm)
      return all.enumerated().map { $0 < 40 ? $1 * scale : $1 }
    }
    let expected = treeSum(clipped[...])
    for outcome in outcomes {
      let sum = try outcome.get()
      #expect(zip(sum, expected).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) })
      #expect(sum.bits == (try outcomes[0].get()).bits)
    }
  }
}
