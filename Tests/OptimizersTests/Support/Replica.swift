import Configuration
import Optimizers
import Tensors

/// Reads `optimizer: …` written as YAML.
func configuration(_ optimizer: String) throws -> OptimizerConfiguration {
  var options = Options(try Node.parse("optimizer: \(optimizer)", file: "a.yaml"))
  let configuration = try OptimizerConfiguration(options: &options)
  try options.finish()
  return configuration
}

/// What reading `optimizer: …` says is wrong, nil when nothing is.
func complaint(_ optimizer: String) -> String? {
  do {
    _ = try configuration(optimizer)
    return nil
  } catch {
    return "\(error)"
  }
}

/// A layout of parameters of the given shapes.
func layout(_ shapes: [Shape]) -> ParameterLayout {
  var scope = ParameterScope()
  for (index, shape) in shapes.enumerated() { _ = scope.parameter("p\(index)", shape, .constant(0)) }
  return scope.layout
}

/// Parameters with an optimizer, trained on random gradients that depend on nothing but the step.
struct Replica {
  let layout: ParameterLayout
  let optimizer: Optimizer
  let weights: Storage
  let gradients: Storage

  init(_ rule: any UpdateRule, _ shapes: [Shape]) {
    layout = OptimizersTests.layout(shapes)
    optimizer = Optimizer(rule, layout: layout)
    weights = Storage(zeros: layout.parameterCount)
    gradients = Storage(zeros: layout.parameterCount)
    var random = RandomStream(seed: 1, .test, layer: 1)
    for i in 0..<weights.count { weights.base[i] = random.normal() }
  }

  /// One step in parts, each in turn measured, then each in turn updated by the optimizer that `owner` names for it.
  func step(_ step: Int, parts: [Range<Int>]? = nil, updatedIn updates: [Range<Int>]? = nil, scale: Float = 1) {
    var random = RandomStream(seed: 1, .test, layer: UInt64(2 + step))
    for i in 0..<gradients.count { gradients.base[i] = random.normal() }
    apply(step, parts: parts, updatedIn: updates, scale: scale)
  }

  /// One step with the gradients as they are.
  func apply(_ step: Int, parts: [Range<Int>]? = nil, updatedIn updates: [Range<Int>]? = nil, scale: Float = 1) {
    let whole = [0..<weights.count]
    for part in parts ?? whole {
      optimizer.measure(parameters: weights.base, gradients: gradients.base, range: part, step: step)
    }
    for part in updates ?? whole {
      optimizer.update(
        parameters: weights.base, gradients: gradients.base, range: part, step: step, learningRate: 0.05,
        gradientScale: scale)
    }
  }

  var bits: [UInt32] { weights.scalars.map(\.bitPattern) }
}

/// One rule of each kind, with everything on that it has.
let rules: [any UpdateRule] = [
  SGD(), SGD(momentum: 0.9, nesterov: true, weightDecay: 0.01), SGD(momentum: 0.9, weightDecay: 0.01, decoupled: true),
  Adam(weightDecay: 0.01), AdamW(), RMSprop(), RMSprop(momentum: 0.9, centered: true, weightDecay: 0.01),
  LARS(), LARS(excludesVectors: false),
]
