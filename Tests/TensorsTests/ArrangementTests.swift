import Tensors
import Testing

@Suite("Concatenation, slices, sums over samples")
struct ArrangementTests {
  @Test(arguments: Goldens.of("concatenation"))
  func concatenationAgreesWithPyTorch(_ golden: Golden) {
    let run = Harness([golden["x0"], golden["x1"]]) { recorder, p in recorder.concatenate(p) }
    #expect(run.output == golden["y"].scalars)
  }

  @Test(arguments: [0, 1, 2, -1])
  func gradientsOfConcatenationAndSlice(_ axis: Int) {
    var shapes = [[2, 3, 5], [2, 3, 5], [2, 3, 5]]
    shapes[1][axis < 0 ? axis + 3 : axis] = 1
    let arrays = shapes.enumerated().map { Array32.random(Shape($1), UInt64($0)) }
    expectGradientsMatchDifferences(arrays) { recorder, p in
      let all = recorder.concatenate(p + [p[0]], axis: axis)
      let extent = recorder.shape(all)[axis]
      // Slices overlap, and one of them is of the whole.
      return recorder.concatenate(
        [
          recorder.slice(all, 1..<extent - 1, axis: axis), recorder.slice(all, 0..<2, axis: axis),
          recorder.slice(all, 0..<extent, axis: axis),
        ], axis: axis)
    }
  }

  @Test func slicesTakeWhatTheySay() {
    let x = Array32([2, 4], [0, 1, 2, 3, 4, 5, 6, 7])
    #expect(Harness([x]) { $0.slice($1[0], 1..<3) }.output == [1, 2, 5, 6])
    #expect(Harness([x]) { $0.slice($1[0], 1..<2, axis: 0) }.output == [4, 5, 6, 7])
    let gradient = Harness([x], weights: [1, 2, 3, 4]) { $0.slice($1[0], 1..<3) }.gradients[0]
    #expect(gradient == [0, 1, 2, 0, 0, 3, 4, 0])
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 17), (130, 2, 33)])
  func positionsAreAddedToEverySample(_ size: (Int, Int, Int)) {
    let (batch, time, width) = size
    let (x, y) = (Array32.random([batch, time, width], 1), Array32.random([time, width], 2))
    let run = Harness([x, y]) { recorder, p in recorder.add(p[0], toEachSample: p[1]) }
    #expect(run.output == x.scalars.indices.map { x.scalars[$0] + y.scalars[$0 % (time * width)] })
    #expect(run.gradients[1].allSatisfy { $0 == Float(batch) })
    // A table used twice gets both gradients.
    expectGradientsMatchDifferences([x, y]) { recorder, p in
      recorder.add(recorder.add(p[0], toEachSample: p[1]), toEachSample: p[1])
    }
  }

  @Test func positionsOfAShorterContextAreASlice() {
    let (x, table) = (Array32.random([2, 3, 4], 1), Array32.random([5, 4], 2))
    expectGradientsMatchDifferences([x, table]) { recorder, p in
      recorder.add(p[0], toEachSample: recorder.slice(p[1], 0..<3, axis: 0))
    }
  }

  @Test func scalesAndKeepsNaN() {
    let run = Harness([Array32([3], [1, .nan, .infinity])]) { recorder, p in recorder.scale(p[0], by: -2) }
    #expect(run.output[0] == -2 && run.output[1].isNaN && run.output[2] == -.infinity)
    #expect(run.gradients[0] == [-2, -2, -2])
  }
}
