import Tensors
import Testing

@Suite("Images of another size")
struct ResizingTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let shape: Shape
    let height: Int
    let width: Int
    var testDescription: String { "\(shape) to \(height)×\(width)" }
  }

  static let cases = [
    Case(shape: [2, 5, 7, 17], height: 9, width: 3), Case(shape: [1, 1, 1, 1], height: 4, width: 4),
    Case(shape: [3, 4, 4, 16], height: 8, width: 8), Case(shape: [1, 6, 5, 3], height: 6, width: 5),
    Case(shape: [2, 3, 1, 2], height: 1, width: 1),
  ]

  @Test(arguments: Goldens.of("bilinear-resize"))
  func interpolationMatchesPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x"], tolerance: 1e-6) { recorder, p, _ in
      recorder.bilinearResize(p[0], height: golden.integer("height"), width: golden.integer("width"))
    }
  }

  @Test(arguments: Goldens.of("adaptive-pool"))
  func meansOfCellsMatchPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x"], tolerance: 1e-6) { recorder, p, _ in
      recorder.adaptivePool(p[0], rows: golden.integer("rows"), columns: golden.integer("columns"))
    }
  }

  @Test(arguments: cases)
  func gradientsMatchDifferences(_ size: Case) {
    expectGradientsMatchDifferences([.random(size.shape, 1)]) { recorder, p in
      recorder.bilinearResize(p[0], height: size.height, width: size.width)
    }
    expectGradientsMatchDifferences([.random(size.shape, 1)]) { recorder, p in
      recorder.adaptivePool(p[0], rows: size.height, columns: size.width)
    }
  }

  @Test("the same size is the same image, bit by bit", arguments: cases)
  func sameSize(_ size: Case) {
    let x = Array32.random(size.shape, 1)
    #expect(Harness([x]) { $0.bilinearResize($1[0], height: size.shape[1], width: size.shape[2]) }.output == x.scalars)
    #expect(Harness([x]) { $0.adaptivePool($1[0], rows: size.shape[1], columns: size.shape[2]) }.output == x.scalars)
  }

  @Test("a sample in its own range goes from 0 to 1, and one of equal numbers is zero")
  func unitRange() {
    var settings = Trial.Settings()
    settings.mode = .evaluation
    settings.keys = [0, 1, 2]
    settings.samples = ([-2, 0, 2, 1, 5, 5, 5, 5, 7, 3, 3, 4] as [Float]).words
    let run = Trial([], settings) { recorder, _ in ([], [recorder.unitRange(recorder.input([4], .float32))]) }
    #expect(run.results[0] == [0, 0.5, 1, 0.75, 0, 0, 0, 0, 1, 0, 0, 0.25])
  }
}
