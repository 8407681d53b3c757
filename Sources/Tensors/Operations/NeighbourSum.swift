/// y[i] = Σ w[e] x[j] over the edges e from j to i: a sparse product with the features of nodes.
///
/// Weights are a constant of the graph, one an edge, or the second input, one an edge and head.  The gradient of x is the
/// same sum along the edges in reverse.
struct NeighbourSum: Operation {
  let graph: Graph
  let samples: Int
  let heads: Int
  /// Scalars of a node and head.
  let width: Int
  /// Fixed weights; nil where they are an input.
  let weights: Storage?
  var isReversed = false
  var name: String { isReversed ? "neighbour sum gradient" : "neighbour sum" }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    2 * samples * graph.edgeCount * heads * width
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      let given = weights == nil ? at.inputs[1] : x
      return { run in
        let rows = isReversed ? graph.outgoing : graph.incoming
        let size = graph.nodes &* heads &* width
        for sample in 0..<samples {
          Neighbours.sum(
            rows, nodes: graph.nodes, run[x] + sample &* size,
            weights: weights?.base ?? run[given] + sample &* graph.edgeCount &* heads, into: run[y] + sample &* size,
            heads: heads, width: width)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let x = call.inputs[0]
    if recorder.needsGradient(x) {
      var reversed = self
      reversed.isReversed = true
      let dx = recorder.append(reversed, [gradient] + call.inputs.dropFirst(), [.new(recorder.shape(x))])
      recorder.contribute(dx[0], to: x)
    }
    if weights == nil, recorder.needsGradient(call.inputs[1]) {
      let dweights = recorder.append(
        EdgeProducts(graph: graph, samples: samples, heads: heads, width: width), [gradient, x],
        [.new(recorder.shape(call.inputs[1]))])
      recorder.contribute(dweights[0], to: call.inputs[1])
    }
  }
}

/// dw[e, h] = Σ_c dy[i, h, c] x[j, h, c] for an edge e from j to i.
struct EdgeProducts: Operation {
  let name = "edge weight gradient"
  let graph: Graph
  let samples: Int
  let heads: Int
  let width: Int

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    2 * samples * graph.edgeCount * heads * width
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (dy, x, dweights) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        let size = graph.nodes &* heads &* width
        for sample in 0..<samples {
          Neighbours.products(
            graph.incoming, nodes: graph.nodes, run[dy] + sample &* size, run[x] + sample &* size,
            into: run[dweights] + sample &* graph.edgeCount &* heads, heads: heads, width: width)
        }
      }
    }
  }
}

extension Recorder {
  /// For each node the sum of whom it hears, each times the weight of the edge: `x` is `[…, nodes, width]`, the result too.
  ///
  /// `weights` holds one number an edge, such as ``Graph/symmetricWeights()``.  A node that hears nobody gets zeros.
  public func neighbourSum(_ x: Value, _ graph: Graph, weights: Storage) -> Value {
    precondition(weights.count == graph.edgeCount, "\(weights.count) weights for \(graph.edgeCount) edges")
    let width = shape(x)[-1]
    return append(
      NeighbourSum(graph: graph, samples: samples(x, of: graph), heads: 1, width: width, weights: weights), [x],
      [.new(shape(x))])[0]
  }

  /// The same with weights that are computed, `[…, edges, heads]`: head h of a node's features, their h-th part of equal
  /// width, is summed by the weights of head h.
  public func neighbourSum(_ x: Value, _ graph: Graph, weights: Value) -> Value {
    let (from, by) = (shape(x), shape(weights))
    let samples = samples(x, of: graph)
    precondition(
      by.rank >= 2 && by[-2] == graph.edgeCount && by.count == samples * graph.edgeCount * by[-1]
        && from[-1] % by[-1] == 0, "a sum of \(from) by weights \(by)")
    return append(
      NeighbourSum(graph: graph, samples: samples, heads: by[-1], width: from[-1] / by[-1], weights: nil),
      [x, weights], [.new(from)])[0]
  }

  /// Samples of features `[…, nodes, width]`.
  func samples(_ x: Value, of graph: Graph) -> Int {
    let from = shape(x)
    precondition(
      from.rank >= 2 && from[-2] == graph.nodes && from.count > 0, "features \(from) of \(graph.nodes) nodes")
    return from.count / (from[-2] * from[-1])
  }
}
