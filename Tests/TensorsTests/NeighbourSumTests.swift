import Tensors
import Testing

@Suite("Sums over neighbours")
struct NeighbourSumTests {
  private func graph(_ golden: Golden) -> Graph {
    let ends = golden.integers("edges")
    return Graph(golden.integer("nodes"), stride(from: 0, to: ends.count, by: 2).map { (ends[$0], ends[$0 + 1]) })
  }

  @Test(arguments: Goldens.of("graph-convolution"))
  func convolutionsMatchPyTorch(_ golden: Golden) {
    let loops = graph(golden).withLoops()
    let weights = golden.flag("normalise") ? loops.symmetricWeights() : loops.unitWeights()
    expectGolden(golden, ["x", "weight", "bias"]) { recorder, p, _ in
      recorder.add(recorder.neighbourSum(recorder.linear(p[0], p[1]), loops, weights: weights), toEachSample: p[2])
    }
  }

  @Test(arguments: Goldens.of("sage"))
  func meansMatchPyTorch(_ golden: Golden) {
    let graph = graph(golden)
    expectGolden(golden, ["x", "neighbour", "own", "bias"]) { recorder, p, _ in
      let means = recorder.neighbourSum(recorder.linear(p[0], p[1]), graph, weights: graph.meanWeights())
      return recorder.add(means, recorder.linear(p[0], p[2], bias: p[3]))
    }
  }

  @Test(arguments: Goldens.of("graph-attention").filter { $0.flag("concatenate") })
  func attentionMatchesPyTorch(_ golden: Golden) {
    let (loops, heads) = (graph(golden).withLoops(), golden.integer("heads"))
    // Gradients of what all edges of a node share nearly cancel: PyTorch's own in Float32 are off by up to 1.5e-5.
    expectGolden(golden, ["x", "weight", "source", "target", "bias"], loose: ["target": 5e-5]) { recorder, p, _ in
      let x = recorder.linear(p[0], p[1])
      let attention = recorder.edgeSoftmax(
        source: recorder.headProducts(x, p[2], heads: heads), target: recorder.headProducts(x, p[3], heads: heads),
        loops)
      return recorder.add(recorder.neighbourSum(x, loops, weights: attention), toEachSample: p[4])
    }
  }

  @Test("fixed weights: gradients match differences", arguments: [1, 7, 16, 33], [1, 3])
  func fixed(_ width: Int, _ samples: Int) {
    let graph = Graph.random(11, 30)
    for weights in [graph.meanWeights(), graph.symmetricWeights()] {
      expectGradientsMatchDifferences([.random([samples, 11, width], 1)]) { recorder, p in
        recorder.neighbourSum(p[0], graph, weights: weights)
      }
    }
  }

  @Test("computed weights: gradients match differences", arguments: [(1, 5), (3, 8), (4, 17)], [1, 2])
  func computed(_ heads: (Int, Int), _ samples: Int) {
    let graph = Graph.random(11, 30)
    let arrays: [Array32] = [
      .random([samples, 11, heads.0 * heads.1], 1), .random([samples, graph.edgeCount, heads.0], 2),
    ]
    expectGradientsMatchDifferences(arrays) { recorder, p in recorder.neighbourSum(p[0], graph, weights: p[1]) }
  }

  @Test("softmax over edges: gradients match differences", arguments: [1, 3, 8], [1, 2])
  func softmax(_ heads: Int, _ samples: Int) {
    let graph = Graph.random(11, 30).withLoops()
    expectGradientsMatchDifferences(
      [.random([samples, 11, heads], 3), .random([samples, 11, heads], 4)], step: 1e-3
    ) { recorder, p in recorder.edgeSoftmax(source: p[0], target: p[1], graph) }
  }

  @Test("products of heads: gradients match differences", arguments: [(1, 5), (3, 8), (4, 17)], [1, 150])
  func products(_ heads: (Int, Int), _ rows: Int) {
    expectGradientsMatchDifferences(
      [.random([rows, heads.0 * heads.1], 1), .random([1, heads.0, heads.1], 2)]
    ) { recorder, p in recorder.headProducts(p[0], p[1], heads: heads.0) }
    // A parameter that is used twice gets the sum of both gradients.
    expectGradientsMatchDifferences([.random([rows, heads.0 * heads.1], 1), .random([heads.0 * heads.1], 2)]) {
      recorder, p in
      let y = recorder.headProducts(p[0], p[1], heads: heads.0)
      return recorder.add(y, recorder.headProducts(recorder.tanh(p[0]), p[1], heads: heads.0))
    }
  }

  @Test("a node that hears nobody gets zeros; one that hears itself alone attends to itself")
  func isolated() {
    let graph = Graph(3, [(0, 1), (1, 0)])
    let x = Array32.random([1, 3, 5], 1)
    let means = Harness([x]) { recorder, p in recorder.neighbourSum(p[0], graph, weights: graph.meanWeights()) }
    #expect(Array(means.output[10...]) == [0, 0, 0, 0, 0])
    #expect(Array(means.gradients[0][10...]) == [0, 0, 0, 0, 0])
    let loops = graph.withLoops()
    let attention = Harness([.random([1, 3, 2], 2)]) { recorder, p in
      recorder.edgeSoftmax(source: p[0], target: p[0], loops)
    }
    #expect(Array(attention.output.suffix(2)) == [1, 1])
  }

  @Test("large scores stay finite; NaN spoils its own targets alone")
  func scores() {
    let loops = Graph(3, [(0, 1)]).withLoops()
    // Edges: 0→0, 0→1, 1→1, 2→2.
    func softmax(_ source: [Float]) -> [Float] {
      Harness([Array32([1, 3, 1], source), Array32([1, 3, 1], [0, 0, 0])]) { recorder, p in
        recorder.edgeSoftmax(source: p[0], target: p[1], loops)
      }.output
    }
    #expect(softmax([1e30, -1e30, 5]) == [1, 1, 0, 1])
    #expect(softmax([0, .nan, 5]).map(\.isNaN) == [false, true, true, false])
  }
}
