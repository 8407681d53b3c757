import Configuration
import Layers
import Tensors

/// Small networks that predict targets from what a block makes.
enum AuxiliaryHead {
  /// Global average pooling of images, then one linear layer.
  static func linear(
    _ input: Signal, outputs: Signal, in scope: inout ParameterScope
  ) throws(ConfigurationError) -> Sequential {
    var stack = Stack(input)
    if input.shape.rank == 3 { stack.append(try GlobalAveragePool(input)) }
    if stack.output.shape.rank != 1, outputs.shape.rank == 1 { stack.append(Flatten(stack.output)) }
    stack.append(in: &scope) { LinearLayer($0, outputs: outputs.shape[-1], in: &$1) }
    return stack.sequential
  }
}
