import Tensors
import Testing

@Suite("Rows of length 1")
struct L2NormaliseTests {
  @Test(arguments: Goldens.of("l2-normalise"))
  func matchesPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x"]) { recorder, p, _ in recorder.l2Normalise(p[0]) }
  }

  @Test(arguments: [[3, 2], [3, 17], [2, 5, 16], [1, 257]] as [Shape])
  func gradientsMatchDifferences(_ shape: Shape) {
    expectGradientsMatchDifferences([.random(shape, 1)], step: 3e-3) { recorder, p in recorder.l2Normalise(p[0]) }
    // In memory of its own, and in that of what came before.
    expectGradientsMatchDifferences([.random(shape, 1)], step: 1e-3) { recorder, p in
      recorder.l2Normalise(recorder.add(recorder.l2Normalise(recorder.tanh(p[0])), p[0]))
    }
  }

  @Test("a row of zeros stays one and passes no gradient; NaN spoils its row alone")
  func edges() {
    let zeros = Harness([Array32([2, 3], [0, 0, 0, 3, 0, 4])], weights: [1, 2, 3, 1, 2, 3]) { recorder, p in
      recorder.l2Normalise(p[0])
    }
    #expect(zeros.output == [0, 0, 0, 0.6, 0, 0.8])
    #expect(Array(zeros.gradients[0][..<3]) == [0, 0, 0])
    let bad = Harness([Array32([2, 3], [1, .nan, 2, 3, 0, 4])]) { recorder, p in recorder.l2Normalise(p[0]) }
    #expect(bad.output.map(\.isNaN) == [true, true, true, false, false, false])
  }
}
