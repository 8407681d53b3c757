import Tensors
import Testing

@Suite("Layer and group normalisation")
struct LayerNormTests {
  @Test(arguments: Goldens.of("layer-norm"))
  func layersMatchPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x", "weight", "bias"]) { recorder, p, _ in
      recorder.layerNorm(p[0], weight: p[1], bias: p[2])
    }
  }

  @Test(arguments: Goldens.of("group-norm"))
  func groupsMatchPyTorch(_ golden: Golden) {
    expectGolden(golden, ["x", "weight", "bias"]) { recorder, p, _ in
      recorder.groupNorm(p[0], groups: golden.integer("groups"), weight: p[1], bias: p[2])
    }
  }

  @Test(arguments: [[3, 3], [3, 17], [2, 5, 16], [130, 48], [1, 257]] as [Shape])
  func layerGradientsMatchDifferences(_ shape: Shape) {
    expectGradientsMatchDifferences(
      [.random(shape, 1), .random([shape[-1]], 2), .random([shape[-1]], 3)], step: 3e-3
    ) { recorder, p in
      recorder.layerNorm(p[0], weight: p[1], bias: p[2])
    }
    expectGradientsMatchDifferences([.random(shape, 1)], step: 3e-3) { recorder, p in recorder.layerNorm(p[0]) }
    expectGradientsMatchDifferences(
      [.random(shape, 1), .random([shape[-1]], 2), .random([shape[-1]], 3)], step: 1e-3
    ) { recorder, p in
      let y = recorder.layerNorm(p[0], weight: p[1], bias: p[2])
      return recorder.layerNorm(recorder.add(y, p[0]), weight: p[1], bias: p[2])
    }
  }

  @Test(
    arguments: [
      ([3, 5, 7, 6], 2), ([1, 5, 7, 17], 1), ([2, 5, 7, 17], 17), ([3, 4, 4, 32], 8), ([2, 20], 5),
    ] as [(Shape, Int)])
  func groupGradientsMatchDifferences(_ shape: Shape, _ groups: Int) {
    expectGradientsMatchDifferences(
      [.random(shape, 1), .random([shape[-1]], 2), .random([shape[-1]], 3)], step: 3e-3
    ) { recorder, p in
      recorder.groupNorm(p[0], groups: groups, weight: p[1], bias: p[2])
    }
    expectGradientsMatchDifferences([.random(shape, 1)], step: 3e-3) { recorder, p in
      recorder.groupNorm(p[0], groups: groups)
    }
  }

  @Test(arguments: [Float.nan, .infinity])
  func aNumberThatIsNoneSpoilsItsRowOrGroupAlone(_ bad: Float) {
    var x = Array32.random([3, 7, 17], 1)
    x.scalars[17 * 8 + 3] = bad
    let rows = Harness([x]) { recorder, p in recorder.layerNorm(p[0]) }.output
    #expect(rows.indices.allSatisfy { rows[$0].isNaN == ($0 / 17 == 8) })
    x = .random([3, 5, 7, 6], 1)
    x.scalars[210 + 17 * 6 + 4] = bad
    let groups = Harness([x]) { recorder, p in recorder.groupNorm(p[0], groups: 2) }.output
    #expect(groups.indices.allSatisfy { groups[$0].isNaN == ($0 / 210 == 1 && $0 % 6 >= 3) })
  }
}
