import Tensors
import Testing

/// Edges of the golden cases and of small graphs of tests.
extension Graph {
  convenience init(_ nodes: Int, _ pairs: [(Int32, Int32)]) {
    self.init(nodes: nodes, edges: pairs.map { Edge(from: $0.0, to: $0.1) })
  }

  /// A graph of `nodes` nodes and about `edges` edges; the last node is isolated.
  static func random(_ nodes: Int, _ edges: Int) -> Graph {
    var random = RandomStream(seed: 5, .test)
    return Graph(
      nodes, (0..<edges).map { _ in (Int32(random.below(nodes - 1)), Int32(random.below(nodes - 1))) })
  }
}

@Suite("Graphs")
struct GraphTests {
  private func row(_ rows: Graph.Rows, _ node: Int) -> [Int32] {
    (Int(rows.offsets[node])..<Int(rows.offsets[node + 1])).map { rows.neighbours[$0] }
  }

  private func numbers(_ storage: Storage) -> [Float] { withExtendedLifetime(storage) { Array(storage.scalars) } }

  @Test("an edge that is there twice counts once, a node's own not at all; rows go both ways")
  func rows() {
    let graph = Graph(5, [(3, 1), (0, 1), (3, 1), (2, 2), (1, 0), (3, 0)])
    #expect(graph.edgeCount == 4)
    #expect((0..<5).map { row(graph.incoming, $0) } == [[1, 3], [0, 3], [], [], []])
    #expect((0..<5).map { row(graph.outgoing, $0) } == [[1], [0], [], [0, 1], []])
    #expect((0..<4).map { graph.incoming.edges[$0] } == [0, 1, 2, 3])
    #expect((0..<4).map { graph.outgoing.edges[$0] } == [2, 0, 1, 3])
    #expect(graph.edges.map { [$0.source, $0.target] } == [[1, 0], [3, 0], [0, 1], [3, 1]])
  }

  @Test("loops are added once")
  func loops() {
    let graph = Graph(3, [(2, 0), (0, 2)]).withLoops()
    #expect((0..<3).map { row(graph.incoming, $0) } == [[0, 2], [1], [0, 2]])
    #expect((0..<3).map { row(graph.outgoing, $0) } == [[0, 2], [1], [0, 2]])
    #expect(graph.withLoops().edges == graph.edges)
  }

  @Test("a graph is itself, not another of the same edges")
  func identity() {
    let graph = Graph(3, [(2, 0)])
    #expect(graph == graph)
    #expect(graph != Graph(3, [(2, 0)]))
  }

  @Test("weights are those of the degrees of incoming edges")
  func weights() {
    // Into 0 from 1 and 2; into 1 from 0.  Nobody leads to 2.
    let graph = Graph(4, [(1, 0), (2, 0), (0, 1)])
    #expect(numbers(graph.meanWeights()) == [0.5, 0.5, 1])
    #expect(numbers(graph.unitWeights()) == [1, 1, 1])
    #expect(numbers(graph.symmetricWeights()) == [Float(0.5).squareRoot(), 0, Float(0.5).squareRoot()])
    let loops = graph.withLoops()
    let degrees: [Float] = [3, 2, 1, 1]
    for (edge, weight) in zip(loops.edges, numbers(loops.symmetricWeights())) {
      let expected = 1 / (degrees[Int(edge.source)] * degrees[Int(edge.target)]).squareRoot()
      #expect(abs(weight - expected) < 1e-7)
    }
  }

  @Test("graphs without edges, and without nodes")
  func nothing() {
    #expect(Graph(3, []).edges.isEmpty)
    #expect(Graph(3, []).withLoops().edgeCount == 3)
    #expect(Graph(0, []).withLoops().edgeCount == 0)
  }
}
