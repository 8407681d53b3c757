import Tensors
import Testing

@Suite("Flattening")
struct FlattenTests {
  @Test(arguments: Goldens.of("flatten"))
  func agreesWithPyTorch(_ golden: Golden) {
    let run = Harness([golden["x"]], weights: golden["dy"].scalars) { recorder, p in recorder.flatten(p[0]) }
    #expect(run.output == golden["y"].scalars)
    #expect(run.gradients[0] == golden["dx"].scalars)
  }

  @Test(arguments: [[2, 1, 1, 5], [2, 3, 4, 1], [3, 2, 1, 17], [1, 7, 7, 64], [2, 3], [2, 3, 4], [2, 5, 3, 33]])
  func ordersByChannelHeightWidth(_ dimensions: [Int]) {
    let x = Array32.random(Shape(dimensions), 1)
    let dy = Array32.random(Shape(dimensions), 2).scalars
    let run = Harness([x], weights: dy) { recorder, p in recorder.flatten(p[0]) }
    let size = x.shape.count / dimensions[0]
    let channels = dimensions.count == 4 ? dimensions[3] : 1
    let positions = size / channels
    for i in x.scalars.indices {
      let (n, p, c) = (i / size, i % size / channels, i % channels)
      #expect(run.output[n * size + c * positions + p] == x.scalars[i])
      #expect(run.gradients[0][i] == dy[n * size + c * positions + p])
    }
  }
}
