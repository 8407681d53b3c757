import Configuration
import Layers
import Tensors

/// A block that a signal from outside enters where it ends, through a fixed random matrix.
struct FeedbackBlock: Sendable {
  /// Its layers of the model.
  let layers: Range<Int>
  /// `[codes, width]`; nil for a block without parameters, which needs no signal.
  let matrix: ModelState?
  /// Signals of a sample: one, or one for each position of a model that predicts at every position.
  let rows: Int
  /// Steps of time that share a signal.
  let repeats: Int
  /// Places of an image, all of which the block's last weights are for; 1 where it makes none.
  let places: Int

  /// Records the block: what the signal enters, and what is passed on.  They differ where a recurrent layer passes on the state
  /// of its last step only: the signal enters the states of all steps.
  func record(_ x: Value, _ model: Model, _ recorder: Recorder) -> [Value] {
    let last = model.layers[layers.upperBound - 1]
    guard repeats > 1, let recurrent = last.layer as? RecurrentLayer else {
      let made = model.record(x, recorder, layers: layers)
      return [made, made]
    }
    let entering = model.record(x, recorder, layers: layers.dropLast())
    return recorder.scope(last.name) {
      let states = recurrent.recordStates(entering, recorder)
      return [states, recurrent.pass(states, recorder)]
    }
  }
}

/// A model cut for rules that bring signals to hidden blocks by fixed random matrices, with those matrices.
struct FeedbackBlocks: Sendable {
  /// The model with the matrices among its states.
  let model: Model
  /// The blocks that signals enter.
  let hidden: [FeedbackBlock]
  /// The layers that learn from the loss itself.
  let output: Range<Int>

  /// Cuts a model at its nonlinearities, and declares a matrix for each block with parameters, uniform in ± what `bound` makes
  /// of its width.
  ///
  /// What follows the last nonlinearity learns from the loss; if it has no parameters, so does the last block.  With
  /// `sharesTime` the steps of a sequence share one signal, else each has its own part of the matrix.  Errors: a matrix of more
  /// than 2³⁰ scalars, with the layer.
  init(
    _ model: Model, count: Int?, rule: String, sharesTime: Bool, bound: (Int) -> Float
  ) throws(ConfigurationError) {
    let blocks = try Blocks(model, count: count)
    func learns(_ layers: Range<Int>) -> Bool {
      model.layers[layers].contains { named in
        model.layout.parameters.contains { $0.name.hasPrefix(named.name + ".") }
      }
    }
    var bodies = blocks.bodies
    if learns(blocks.head) {
      output = blocks.head
    } else {
      output = bodies.removeLast().lowerBound..<model.layers.count
    }
    let outputs = model.output.shape
    let positions = outputs.dimensions.dropLast()
    var scope = ParameterScope(after: model.layout)
    var hidden: [FeedbackBlock] = []
    for (index, layers) in bodies.enumerated() {
      let last = model.layers[layers.upperBound - 1]
      let recurrent = sharesTime ? last.layer as? RecurrentLayer : nil
      let entered = (recurrent?.states ?? last.layer.output).shape
      let isPositioned = !positions.isEmpty && entered.dimensions.starts(with: positions)
      let rows = isPositioned ? Shape(Array(positions)).count : 1
      let repeats = sharesTime && !isPositioned && entered.rank == 2 ? entered[0] : 1
      let shape = Shape([outputs.count / rows, entered.count / rows / repeats])
      guard learns(layers) else {
        hidden.append(FeedbackBlock(layers: layers, matrix: nil, rows: rows, repeats: repeats, places: 1))
        continue
      }
      guard shape[1] <= (1 << 30) / shape[0] else {
        throw ConfigurationError(
          "learning: \(rule) cannot train layer `\(last.name)` (\(last.layer.kind)): its random matrix would be \(shape[0]) × "
            + "\(shape[1]); join blocks with learning.blocks, or choose backpropagation")
      }
      let matrix = scope.nested(FeedbackBlocks.scope(index)) {
        $0.state("matrix", shape, .uniform(bound: bound(shape[1])), .fixed)
      }
      hidden.append(
        FeedbackBlock(
          layers: layers, matrix: matrix, rows: rows, repeats: repeats,
          places: entered.rank == 3 ? entered[0] * entered[1] / rows : 1))
    }
    self.hidden = hidden
    self.model = model.extended(scope.layout)
  }

  /// What the name of a block's matrix begins with.
  static func scope(_ block: Int) -> String { "auxiliary.\(block)" }

  /// Blocks and output layers as modules.
  var modules: [LearningModule] {
    hidden.enumerated().map { LearningModule(model, layers: $1.layers, auxiliary: [FeedbackBlocks.scope($0)]) }
      + [LearningModule(model, layers: output)]
  }

  /// What a signal is multiplied by, beside the run's target weight, so that it is a mean over samples (and over the positions
  /// that have signals), as the loss is a mean over all terms.
  func factor(of block: FeedbackBlock, _ objective: Objective) -> Float {
    Float(objective.targetsPerSample) / Float(block.rows)
  }

  /// The bound of the Kaiming-uniform matrices of DRTP's authors: √(6 / width).
  static func kaiming(_ width: Int) -> Float { Float((6 / Double(width)).squareRoot()) }

  /// Reads the key `hidden-scale`.
  static func readScale(_ options: inout Options) throws(ConfigurationError) -> Float {
    Float(
      try options.number(
        "hidden-scale", default: 1, in: .positive,
        "what the signals of hidden blocks are multiplied by: with plain SGD, the hidden learning rate over that of the output"
      ))
  }
}
