import Configuration
import Tensors

/// A recurrent layer over time, one direction: `[time, features] → [time, hidden]`, or `[hidden]` for the last step only.
public struct RecurrentLayer: Layer {
  /// The hidden states.
  public let output: Signal
  let weightInput: Parameter
  let weightHidden: Parameter
  let biasInput: Parameter
  let biasHidden: Parameter
  let cell: RecurrentCell
  /// Whether only the last step's state is passed on.
  package let lastOnly: Bool
  /// The states of all steps: `[time, hidden]`.
  package let states: Signal
  /// A nonlinear function of its input.
  public var endsBlock: Bool { true }

  /// Declares PyTorch's `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, uniform in ±1/√hidden.
  public init(
    _ input: Signal, cell: RecurrentCell, hidden: Int, lastOnly: Bool, in scope: inout ParameterScope
  ) {
    let features = input.shape[1]
    let rows = cell.gates * hidden
    weightInput = scope.parameter("weight_ih_l0", [rows, features], .inputs(hidden))
    weightHidden = scope.parameter("weight_hh_l0", [rows, hidden], .inputs(hidden))
    biasInput = scope.parameter("bias_ih_l0", [rows], .inputs(hidden))
    biasHidden = scope.parameter("bias_hh_l0", [rows], .inputs(hidden))
    self.cell = cell
    self.lastOnly = lastOnly
    states = input.with(features: hidden)
    output = lastOnly ? Signal([hidden]) : states
  }

  /// Starts from a state of zeros.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    pass(recordStates(x, recorder), recorder)
  }

  /// Records the states of all steps.
  package func recordStates(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.recurrent(
      cell, x, inputWeight: recorder.parameter(weightInput), hiddenWeight: recorder.parameter(weightHidden),
      inputBias: recorder.parameter(biasInput), hiddenBias: recorder.parameter(biasHidden))
  }

  /// What is passed on of the states of all steps.
  package func pass(_ states: Value, _ recorder: Recorder) -> Value {
    guard lastOnly else { return states }
    let shape = recorder.shape(states)
    let last = recorder.slice(states, shape[1] - 1..<shape[1], axis: 1)
    return recorder.reshape(last, [shape[0], shape[2]])
  }

  /// As many hidden units over any sequence.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    guard input.vocabulary == nil, input.shape.rank == 2 else {
      throw ConfigurationError("recurrent needs time × features and gets \(input)")
    }
    return RecurrentLayer(input, cell: cell, hidden: output.shape[-1], lastOnly: lastOnly, in: &scope)
  }

  static let kind = LayerKind("recurrent", shorthand: "hidden", "A recurrent layer over time: tanh, LSTM or GRU cells.")
  {
    (options, input, scope) throws(ConfigurationError) in
    try input.requireNumbers(for: "recurrent")
    let name = try options.choice(
      "cell", of: RecurrentCell.allCases.map(\.rawValue), default: "lstm", "what is computed at each step")
    let hidden = try options.integer("hidden", in: 1...1 << 20, unit: "units", "units of the hidden state")
    let last = try options.flag("last", default: false, "whether only the last step's state is passed on")
    guard input.shape.rank == 2 else {
      throw ConfigurationError("recurrent needs time × features and gets \(input)")
    }
    return RecurrentLayer(input, cell: RecurrentCell(rawValue: name)!, hidden: hidden, lastOnly: last, in: &scope)
  }
}
