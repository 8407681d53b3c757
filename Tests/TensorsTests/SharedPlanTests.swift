import Foundation
import Tensors
import Testing

@Suite("One plan, many threads")
struct SharedPlanTests {
  /// Threads that run the same convolutions at the same time get the bits of one that runs alone, also after weights
  /// changed under packed copies of them.
  @Test(arguments: Compute.Backend.allCases)
  func threadsShareConvolutions(_ backend: Compute.Backend) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    var scope = ParameterScope()
    let weights = [
      scope.parameter("a", [16, 3, 3, 3], .normal(deviation: 0.3)),
      scope.parameter("b", [32, 16, 3, 3], .normal(deviation: 0.1)),
      scope.parameter("c", [32, 32, 1, 1], .normal(deviation: 0.1)),
    ]
    let layout = scope.layout
    let recorder = Recorder(batch: 4, mode: .training, layout: layout, compute: compute)
    var x = recorder.input([9, 11, 3], .float32)
    for weight in weights {
      x = recorder.relu(
        recorder.batchNorm(
          recorder.convolution(x, recorder.parameter(weight), stride: 2, padding: weight.shape[2] / 2)))
    }
    recorder.fuse()
    let target = recorder.target(recorder.shape(x).sample, .float32)
    recorder.differentiate([recorder.weightedSum(x, target)])
    let plan = Plan(recorder)
    let counts = (4 * 9 * 11 * 3, recorder.shape(x).count)

    @Sendable func run(_ seed: UInt64) -> [[UInt32]] {
      let store = ParameterStore(layout)
      let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
      let (samples, targets) = (Storage(zeros: counts.0), Storage(zeros: counts.1))
      let gradients = Storage(zeros: layout.gradientCount)
      var keys: [UInt64] = [0, 1, 2, 3]
      var results: [[UInt32]] = []
      for version in 0..<3 {
        layout.initialise(store, seed: seed + UInt64(version))
        var random = RandomStream(seed: seed, .test, epoch: UInt64(version))
        for i in 0..<counts.0 { samples.base[i] = random.normal() }
        for i in 0..<counts.1 { targets.base[i] = random.normal() }
        keys.withUnsafeMutableBufferPointer { keys in
          executor.run(
            Executor.Inputs(
              store: store, version: version, gradients: gradients, samples: UnsafeMutableRawPointer(samples.base),
              targets: UnsafeMutableRawPointer(targets.base), sampleKeys: UnsafePointer(keys.baseAddress!)))
        }
        results.append(gradients.scalars.map(\.bitPattern))
      }
      return results
    }

    let alone = (0..<4).map { run($0) }
    #expect(Set(alone.flatMap { $0 }).count == 12)
    for _ in 0..<5 {
      let together = Results()
      let threads = (0..<UInt64(4)).map { seed in Thread { together.put(run(seed), seed) } }
      for thread in threads { thread.start() }
      together.wait(4)
      #expect((0..<4).allSatisfy { together.values[UInt64($0)] == alone[$0] })
    }
  }
}

private final class Results: @unchecked Sendable {  // guarded by the condition
  private let condition = NSCondition()
  private(set) var values: [UInt64: [[UInt32]]] = [:]

  func put(_ value: [[UInt32]], _ seed: UInt64) {
    condition.withLock { values[seed] = value }
    condition.signal()
  }

  func wait(_ count: Int) {
    condition.withLock {
      while values.count < count { condition.wait() }
    }
  }
}
