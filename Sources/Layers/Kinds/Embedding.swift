import Configuration
import Tensors

/// A row of a table for each token, and where wanted a learned row for each position: `[time] → [time, width]`.
public struct Embedding: Layer {
  /// `[time, width]`.
  public let output: Signal
  let token: Parameter
  let position: Parameter?

  /// Declares `weight`, or with positions `token.weight` and `position.weight`; all standard normal.
  public init(_ input: Signal, width: Int, positions: Bool, in scope: inout ParameterScope) throws(ConfigurationError) {
    guard let vocabulary = input.vocabulary, input.shape.rank == 1 else {
      throw ConfigurationError("embedding needs tokens and gets \(input)")
    }
    let time = input.shape[0]
    token = scope.parameter(positions ? "token.weight" : "weight", [vocabulary, width], .normal(deviation: 1))
    position = positions ? scope.parameter("position.weight", [time, width], .normal(deviation: 1)) : nil
    output = Signal([time, width])
  }

  /// One gather, one addition.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    let rows = recorder.embedding(x, recorder.parameter(token))
    return position.map { recorder.add(rows, toEachSample: recorder.parameter($0)) } ?? rows
  }

  static let kind = LayerKind("embedding", shorthand: "width", "A learned row for each token.") {
    (options, input, scope) throws(ConfigurationError) in
    let width = try options.integer("width", in: 1...1 << 20, unit: "features", "scalars of a row")
    let positions = try options.flag("positions", default: false, "whether a learned row for each position is added")
    return try Embedding(input, width: width, positions: positions, in: &scope)
  }
}
