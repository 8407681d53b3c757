import Tensors
import Testing

@Suite("Linear layers")
struct LinearTests {
  static let backends = Compute.Backend.allCases

  @Test(arguments: backends, [(1, 1, 1), (3, 17, 5), (127, 33, 40), (64, 130, 10)])
  func gradientsMatchDifferences(_ backend: Compute.Backend, _ size: (Int, Int, Int)) throws {
    let (rows, inputs, outputs) = size
    let compute = Compute(backend: backend)
    try compute.check()
    expectGradientsMatchDifferences(
      [.random([rows, inputs], 1), .random([outputs, inputs], 2), .random([outputs], 3)], compute: compute
    ) { recorder, p in recorder.linear(p[0], p[1], bias: p[2]) }
  }

  @Test func aTiedWeightGetsBothGradients() {
    expectGradientsMatchDifferences([.random([4, 6], 1), .random([6, 6], 2)]) { recorder, p in
      recorder.linear(recorder.linear(p[0], p[1]), p[1])
    }
  }

  @Test func aSumOfTwoPathsGetsBothGradients() {
    expectGradientsMatchDifferences([.random([4, 6], 1), .random([6, 6], 2), .random([6, 6], 3)]) { recorder, p in
      let x = recorder.linear(p[0], p[1])
      return recorder.add(recorder.add(x, recorder.linear(x, p[2])), x)
    }
  }
}
