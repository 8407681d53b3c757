import Configuration
import Tensors

/// Sets numbers to zero with a probability and scales the rest by 1/(1 − probability); training only (Srivastava 2014).
public struct Dropout: Layer {
  /// The input's shape.
  public let output: Signal
  let probability: Float

  /// Drops with a probability of [0, 1).
  public init(_ input: Signal, probability: Float) {
    output = input
    self.probability = probability
  }

  /// Masks are keyed by seed, epoch, sample and layer.
  public func record(_ x: Value, _ recorder: Recorder) -> Value { recorder.dropout(x, probability: probability) }

  /// The same probability.
  public func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    Dropout(input, probability: probability)
  }

  static let kind = LayerKind("dropout", shorthand: "probability", "Sets numbers to zero at random, in training only.")
  {
    (options, input, _) throws(ConfigurationError) in
    try input.requireNumbers(for: "dropout")
    let probability = try options.number(
      "probability", default: 0.5, in: .fractionBelowOne, "share of the numbers that is dropped")
    return Dropout(input, probability: Float(probability))
  }
}
