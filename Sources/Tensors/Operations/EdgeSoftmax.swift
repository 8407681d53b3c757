/// Attention of nodes to whom they hear (Veličković et al. 2018, equation 3): for an edge from j to i the softmax of
/// leaky(source[j] + target[i]) over all edges that end in i, for each head.
struct EdgeSoftmax: Operation {
  let name = "edge softmax"
  let graph: Graph
  let samples: Int
  let heads: Int
  /// What the leaky relu multiplies numbers below zero by.
  let slope: Float

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    25 * samples * graph.edgeCount * heads
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (source, target, p) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in
        for sample in 0..<samples {
          let start = sample &* graph.nodes &* heads
          EdgeScores.softmax(
            graph.incoming, nodes: graph.nodes, edges: graph.edgeCount, run[source] + start, run[target] + start,
            slope: slope, into: run[p] + sample &* graph.edgeCount &* heads, heads: heads)
        }
      }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let made = recorder.append(
      EdgeSoftmaxGradient(graph: graph, samples: samples, heads: heads, slope: slope),
      [gradient, call.outputs[0], call.inputs[0], call.inputs[1]], call.inputs.map { .new(recorder.shape($0)) })
    for (value, gradient) in zip(call.inputs, made) { recorder.contribute(gradient, to: value) }
  }
}

/// The gradients of both ends' scores.
struct EdgeSoftmaxGradient: Operation {
  let name = "edge softmax gradient"
  let graph: Graph
  let samples: Int
  let heads: Int
  let slope: Float

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    8 * samples * graph.edgeCount * heads
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering(scratchBytes: 4 * graph.edgeCount * heads) { at in
      let (dp, p, source, target) = (at.inputs[0], at.inputs[1], at.inputs[2], at.inputs[3])
      let (dsource, dtarget, scratch) = (at.outputs[0], at.outputs[1], at.scratch)
      return { run in
        for sample in 0..<samples {
          let (start, first) = (sample &* graph.nodes &* heads, sample &* graph.edgeCount &* heads)
          EdgeScores.softmaxGradient(
            graph, run[dp] + first, run[p] + first, run[source] + start, run[target] + start, slope: slope,
            scores: run[scratch], intoSource: run[dsource] + start, intoTarget: run[dtarget] + start, heads: heads)
        }
      }
    }
  }
}

extension Recorder {
  /// How much each node attends to whom it hears: `source` and `target` are scores `[…, nodes, heads]`, the result is
  /// `[…, edges, heads]`, which adds up to 1 over the edges that end in a node.
  public func edgeSoftmax(source: Value, target: Value, _ graph: Graph, slope: Float = 0.2) -> Value {
    let from = shape(source)
    precondition(shape(target) == from, "scores \(from) of sources and \(shape(target)) of targets")
    let operation = EdgeSoftmax(graph: graph, samples: samples(source, of: graph), heads: from[-1], slope: slope)
    let result = Shape(from.dimensions.dropLast(2) + [graph.edgeCount, from[-1]])
    return append(operation, [source, target], [.new(result)])[0]
  }
}
