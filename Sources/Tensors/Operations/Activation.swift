/// A smooth activation, element by element.
struct Activation: Operation {
  /// Which.
  enum Function: Sendable {
    case tanh, sigmoid, silu, geluTanh, geluErf
    case elu(alpha: Float)

    var name: String {
      switch self {
      case .tanh: "tanh"
      case .sigmoid: "sigmoid"
      case .silu: "silu"
      case .geluTanh: "gelu (tanh)"
      case .geluErf: "gelu (erf)"
      case .elu: "elu"
      }
    }

    /// Whether the gradient is a function of the output, so that the input's memory is free.
    var readsOutput: Bool {
      switch self {
      case .tanh, .sigmoid, .elu: true
      case .silu, .geluTanh, .geluErf: false
      }
    }
  }

  let function: Function
  var name: String { function.name }
  var inPlace: [(input: Int, output: Int)] { [(0, 0)] }

  func rounds(_ output: Int, beside: Bool) -> Bool { !beside }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 20 * outputs[0].shape.count }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (function, count) = (function, outputs[0].shape.count)
    if outputs[0].type == .bfloat16 {
      return RoundedMap.lowering(count) { at in
        let x = at.inputs[0]
        return { run, start, count, target in function.apply(run[x] + start, into: target, count) }
      }
    }
    return Lowering { at in
      let (x, y) = (at.inputs[0], at.outputs[0])
      return { run in function.apply(run[x], into: run[y], count) }
    }
  }

  func differentiate(_ call: Instruction, _ recorder: Recorder) {
    guard let gradient = recorder.gradient(of: call.outputs[0]) else { return }
    let known = function.readsOutput ? call.outputs[0] : call.inputs[0]
    let dx = recorder.append(
      ActivationGradient(function: function), [known, gradient], [.new(recorder.shape(call.inputs[0]))])
    recorder.contribute(dx[0], to: call.inputs[0])
  }
}

/// dx = dy f′, from the output where it tells enough, else from the input.
struct ActivationGradient: Operation {
  let function: Activation.Function
  var name: String { "\(function.name) gradient" }
  var inPlace: [(input: Int, output: Int)] { [(1, 0), (0, 0)] }

  func rounds(_ output: Int, beside: Bool) -> Bool { !beside }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int {
    (function.readsOutput ? 3 : 25) * outputs[0].shape.count
  }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    let (function, count) = (function, outputs[0].shape.count)
    if outputs[0].type == .bfloat16 {
      return RoundedMap.lowering(count) { at in
        let (known, dy) = (at.inputs[0], at.inputs[1])
        return { run, start, count, target in
          function.applyGradient(run[known] + start, run[dy] + start, into: target, count)
        }
      }
    }
    return Lowering { at in
      let (known, dy, dx) = (at.inputs[0], at.inputs[1], at.outputs[0])
      return { run in function.applyGradient(run[known], run[dy], into: run[dx], count) }
    }
  }
}

extension Activation.Function {
  /// y = f(x); y may be x.
  fileprivate func apply(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int) {
    switch self {
    case .tanh: Activations.tanh(x, into: y, count)
    case .sigmoid: Activations.sigmoid(x, into: y, count)
    case .silu: Activations.silu(x, into: y, count)
    case .geluTanh: Activations.geluTanh(x, into: y, count)
    case .geluErf: Activations.geluErf(x, into: y, count)
    case .elu(let alpha): Activations.elu(x, alpha: alpha, into: y, count)
    }
  }

  /// dx = dy f′, where `known` is x or, if `readsOutput`, y; dx may be either.
  fileprivate func applyGradient(
    _ known: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    switch self {
    case .tanh: Activations.tanhGradient(known, dy, into: dx, count)
    case .sigmoid: Activations.sigmoidGradient(known, dy, into: dx, count)
    case .silu: Activations.siluGradient(known, dy, into: dx, count)
    case .geluTanh: Activations.geluTanhGradient(known, dy, into: dx, count)
    case .geluErf: Activations.geluErfGradient(known, dy, into: dx, count)
    case .elu(let alpha): Activations.eluGradient(known, dy, alpha: alpha, into: dx, count)
    }
  }
}

/// The two usual formulas of GELU.
public enum GeluApproximation: String, CaseIterable, Sendable {
  /// x Φ(x), PyTorch's default.
  case none
  /// ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), as in GPT-2.
  case tanh
}

extension Recorder {
  /// The hyperbolic tangent.
  public func tanh(_ x: Value) -> Value { activation(.tanh, x) }

  /// 1 / (1 + e^−x).
  public func sigmoid(_ x: Value) -> Value { activation(.sigmoid, x) }

  /// x sigmoid(x), also called swish.
  public func silu(_ x: Value) -> Value { activation(.silu, x) }

  /// x Φ(x) (Hendrycks and Gimpel 2016), or its usual approximation.
  public func gelu(_ x: Value, approximation: GeluApproximation = .none) -> Value {
    activation(approximation == .none ? .geluErf : .geluTanh, x)
  }

  /// x, or α (e^x − 1) where x < 0 (Clevert, Unterthiner, Hochreiter 2016), for α > 0.
  public func elu(_ x: Value, alpha: Float = 1) -> Value {
    precondition(alpha > 0, "elu with alpha \(alpha)")
    return activation(.elu(alpha: alpha), x)
  }

  private func activation(_ function: Activation.Function, _ x: Value) -> Value {
    append(Activation(function: function), [x], [.new(shape(x))])[0]
  }
}
