import Configuration
import Tensors

/// Sines and cosines of a time of about [0, 1], so that a network tells times apart: `[1] → [width]`.
public struct TimeEmbedding: Layer {
  /// `width` numbers of −1…1.
  public let output: Signal

  /// An embedding of an even width; throws where the input is not one number.
  public init(_ input: Signal, width: Int) throws(ConfigurationError) {
    guard input.vocabulary == nil, input.shape.count == 1 else {
      throw ConfigurationError("time-embedding needs one number a sample, a time, and gets \(input)")
    }
    guard width % 2 == 0 else {
      throw ConfigurationError("time-embedding makes as many sines as cosines; width \(width) is odd")
    }
    output = Signal([width])
  }

  /// One pass.
  public func record(_ x: Value, _ recorder: Recorder) -> Value {
    recorder.timeEmbedding(x, width: output.shape[0])
  }

  static let kind = LayerKind("time-embedding", shorthand: "width", "Sines and cosines of a time.") {
    (options, input, _) throws(ConfigurationError) in
    let width = try options.integer("width", in: 2...1 << 20, unit: "features", "sines and cosines, half of each")
    return try TimeEmbedding(input, width: width)
  }
}
