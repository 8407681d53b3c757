import Layers
import Tensors

/// The blocks of a model on a graph whose nodes are told classes.
struct LabelledGraph: Sendable {
  /// How nodes are told.
  enum Labels: Sendable {
    /// By virtual nodes of these features, `[classes, features]`, after the nodes.
    case nodes(ModelState)
    /// By scalars after the features, `[nodes, classes]`.
    case scalars([Float], classes: Int)
  }

  /// The model's layers for the graph.
  let model: Model
  /// The layers of each block.
  let bodies: [Range<Int>]
  let labels: Labels

  /// Nodes that are not virtual.
  private var nodes: Int { model.input.shape[0] }

  /// What enters the first block, `[batch, nodes, features]` with what tells the classes.
  func recordInput(_ recorder: Recorder) -> Value {
    let x = model.recordInput(recorder)
    switch labels {
    case .nodes(let features):
      return recorder.concatenate([x, repeated(recorder.state(features), features.shape, recorder)], axis: 1)
    case .scalars(let scalars, let classes):
      return recorder.concatenate([x, repeated(recorder.constants(scalars), [nodes, classes], recorder)])
    }
  }

  /// What a block makes of what entered it, whose rows become as long as 1.
  func record(block: Int, _ entering: Value, _ recorder: Recorder) -> Value {
    model.record(recorder.l2Normalise(entering), recorder, layers: bodies[block])
  }

  /// What enters a block, detached, where the blocks before it stay as they are.
  func recordFrozen(upTo block: Int, _ recorder: Recorder) -> Value {
    let (_, values) = recorder.segment {
      recorder.evaluating {
        [(0..<block).reduce(recordInput(recorder)) { recorder.detach(record(block: $1, $0, recorder)) }]
      }
    }
    return recorder.detach(values[0])
  }

  /// What every block makes.
  func recordAll(_ recorder: Recorder) -> [Value] {
    var made: [Value] = []
    for block in bodies.indices { made.append(record(block: block, made.last ?? recordInput(recorder), recorder)) }
    return made
  }

  /// The rows of nodes that are not virtual.
  func rows(_ made: Value, _ recorder: Recorder) -> Value { recorder.slice(made, 0..<nodes, axis: 1) }

  /// The products of what is made of each node with what is made of the virtual ones: `[batch, nodes, classes]`.
  func recordLikeness(_ made: Value, _ recorder: Recorder) -> Value {
    let (all, width) = (recorder.shape(made)[1], recorder.shape(made)[2])
    let classes = all - nodes
    let products = (0..<recorder.batch).map { sample in
      let rows = recorder.reshape(recorder.slice(made, sample..<sample + 1, axis: 0), [all, width])
      return recorder.linear(
        recorder.slice(rows, 0..<nodes, axis: 0), recorder.slice(rows, nodes..<all, axis: 0))
    }
    let joined = products.count == 1 ? products[0] : recorder.concatenate(products, axis: 0)
    return recorder.reshape(joined, [recorder.batch, nodes, classes])
  }

  /// The same rows for every sample of the batch.
  private func repeated(_ rows: Value, _ shape: Shape, _ recorder: Recorder) -> Value {
    let one = recorder.reshape(rows, shape.batched(1))
    return recorder.batch == 1
      ? one : recorder.concatenate([Value](repeating: one, count: recorder.batch), axis: 0)
  }
}
