import Configuration
import Tensors

/// Functions of one number, applied to each.
public enum Activation: String, CaseIterable, Sendable {
  case relu, gelu, elu, silu, tanh, sigmoid

  /// The layer that applies it; `alpha` belongs to elu, `approximate` to gelu.
  public func layer(_ input: Signal, alpha: Float = 1, approximate: Bool = true) -> any Layer {
    ActivationLayer(output: input, activation: self, alpha: alpha, approximate: approximate)
  }

  var kind: LayerKind {
    LayerKind(rawValue, help) { (options, input, _) throws(ConfigurationError) in
      try input.requireNumbers(for: rawValue)
      var (alpha, approximate) = (1.0, true)
      if self == .elu { alpha = try options.number("alpha", default: 1, "the limit below zero is −alpha") }
      if self == .gelu {
        approximate =
          try options.choice("form", of: ["tanh", "erf"], default: "tanh", "the tanh form, or exact by erf") == "tanh"
      }
      return layer(input, alpha: Float(alpha), approximate: approximate)
    }
  }

  private var help: String {
    switch self {
    case .relu: "max(x, 0)."
    case .gelu: "x Φ(x) (Hendrycks and Gimpel 2016)."
    case .elu: "x, or alpha (eˣ − 1) below zero."
    case .silu: "x σ(x)."
    case .tanh: "The hyperbolic tangent."
    case .sigmoid: "1 / (1 + e⁻ˣ)."
    }
  }
}

/// An activation in its place.
struct ActivationLayer: Layer {
  let output: Signal
  let activation: Activation
  let alpha: Float
  let approximate: Bool
  var kind: String { activation.rawValue }
  var endsBlock: Bool { true }

  /// The same function.
  func fresh(
    _ input: Signal, stride: Int?, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> any Layer {
    activation.layer(input, alpha: alpha, approximate: approximate)
  }

  func record(_ x: Value, _ recorder: Recorder) -> Value {
    switch activation {
    case .relu: recorder.relu(x)
    case .gelu: recorder.gelu(x, approximation: approximate ? .tanh : .none)
    case .elu: recorder.elu(x, alpha: alpha)
    case .silu: recorder.silu(x)
    case .tanh: recorder.tanh(x)
    case .sigmoid: recorder.sigmoid(x)
    }
  }
}
