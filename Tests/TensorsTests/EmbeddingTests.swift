import Tensors
import Testing

@Suite("Embeddings")
struct EmbeddingTests {
  static func trial(_ weight: Array32, _ indices: [Int32], dy: [Float], twice: Bool = false) -> Trial {
    var settings = Trial.Settings()
    settings.samples = indices.words
    settings.targets = dy.words
    return Trial([weight], settings) { recorder, p in
      let index = recorder.input(Shape([indices.count]), .int32)
      let y = recorder.embedding(index, p[0])
      let sum = recorder.weightedSum(y, recorder.target(Shape([dy.count]), .float32))
      guard twice else { return ([sum], [y]) }
      let again = recorder.weightedSum(
        recorder.embedding(index, p[0]), recorder.target(Shape([dy.count]), .float32))
      return ([sum, again], [y])
    }
  }

  @Test(arguments: Goldens.of("embedding"))
  func agreesWithPyTorch(_ golden: Golden) {
    let run = Self.trial(golden["weight"], golden.integers("x"), dy: golden["dy"].scalars)
    #expect(run.results[0] == golden["y"].scalars)
    #expect(relativeError(run.gradients[0], golden["dweight"].scalars) < 1e-6)
    let twice = Self.trial(golden["weight"], golden.integers("x"), dy: golden["dy"].scalars, twice: true)
    #expect(relativeError(twice.gradients[0], golden["dweight"].scalars.map { 2 * $0 }) < 1e-6)
  }

  @Test func anIndexOutsideTheTableIsNaNAndTouchesNothing() {
    let weight = Array32([2, 3], [1, 2, 3, 4, 5, 6])
    let run = Self.trial(weight, [1, 2, -1, 0], dy: .init(repeating: 1, count: 12))
    #expect(Array(run.results[0][..<3]) == [4, 5, 6])
    #expect(run.results[0][3..<9].allSatisfy { $0.isNaN })
    #expect(run.gradients[0] == [1, 1, 1, 1, 1, 1])
  }

  @Test func nanInOneRowStaysThere() {
    let run = Self.trial(Array32([2, 1], [.nan, 1]), [0, 1, 1], dy: [1, .nan, 2])
    #expect(run.results[0].map { $0.isNaN } == [true, false, false])
    #expect(run.gradients[0].map { $0.isNaN } == [false, true])
  }
}
