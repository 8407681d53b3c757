import Tensors
import Testing

@Suite("Operations of counter-current learning")
struct CounterCurrentOperationTests {
  @Test(
    "pixels are copies of the nearest ones, and gradients their sums",
    arguments: [(3, 2, 6, 4), (7, 5, 3, 2), (4, 4, 7, 9)])
  func resizing(_ height: Int, _ width: Int, _ tall: Int, _ wide: Int) {
    let x = Array32.random([2, height, width, 3], 1)
    let run = Harness([x]) { recorder, p in recorder.nearestResize(p[0], height: tall, width: wide) }
    for index in run.output.indices {
      let (pixel, channel) = index.quotientAndRemainder(dividingBy: 3)
      let (sample, place) = pixel.quotientAndRemainder(dividingBy: tall * wide)
      let (row, column) = (place / wide * height / tall, place % wide * width / wide)
      #expect(run.output[index] == x.scalars[((sample * height + row) * width + column) * 3 + channel])
    }
    expectGradientsMatchDifferences([x]) { recorder, p in recorder.nearestResize(p[0], height: tall, width: wide) }
    let same = Harness([x]) { recorder, p in recorder.nearestResize(p[0], height: height, width: width) }
    #expect(same.output == x.scalars)
  }

  @Test("products of values with values have gradients on both sides, also with themselves")
  func products() {
    let (x, y) = (Array32.random([4, 5], 1), Array32.random([3, 5], 2))
    expectGradientsMatchDifferences([x, y]) { recorder, p in
      recorder.linear(recorder.tanh(p[0]), recorder.elu(p[1]))
    }
    expectGradientsMatchDifferences([x]) { recorder, p in
      let rows = recorder.l2Normalise(p[0])
      return recorder.linear(rows, rows)
    }
    let run = Harness([x]) { recorder, p in recorder.add(recorder.linear(p[0], p[0]), recorder.identity(4)) }
    #expect(abs(run.output[5] - 1 - x.scalars[5..<10].reduce(0) { $0 + $1 * $1 }) < 1e-5)
  }

  @Test("rows are unlearned until their class has the probability")
  func unlearned() {
    var settings = Trial.Settings()
    settings.keys = [0, 1, 2, 3]
    settings.targets = ([0, 1, 2, 0] as [Int32]).words
    settings.mode = .evaluation
    let logits = Array32([4, 3], [5, 0, 0, 5, 0, 0, 0, 0, 2.8, 500, -500, 0])
    let run = Trial([logits], settings) { recorder, p in
      ([], [recorder.unlearnedRows(p[0], recorder.target([], .int32), limit: 0.9)])
    }
    #expect(run.results[0] == [0, 1, 1, 0])
  }
}
