import Configuration
import Layers
import Tensors

/// AugLocal's losses: through copies of the architecture of later blocks, and a classifier.
struct CopiedBlocks: LocalLossKind {
  let blocks: Blocks
  let depths: AuxiliaryDepths

  /// Each copied block takes what the one before makes.  Where the model halves its images between two chosen blocks, so do the
  /// copies, once a block: what is left over waits for the next.  (The authors count doublings of the width, which is the same
  /// in a ResNet.)  Blocks that make rows are copied with their own windows.  Images are averaged at the end; where a block of
  /// rows follows images without flattening them, before it.
  func make(_ place: LocalPlace, in scope: inout ParameterScope) throws(ConfigurationError) -> any LocalLoss {
    let model = place.model
    var stack = Stack(place.signal)
    var previous = place.signal
    var halvings = 0
    for chosen in depths.copied(by: place.block) {
      let body = blocks.bodies[chosen]
      let own = model.layers[body.upperBound - 1].layer.output
      var stride: Int?
      if own.shape.rank == 3, previous.shape.rank == 3 {
        halvings += Self.halvings(from: previous.shape[0], to: own.shape[0])
        stride = halvings > 0 ? 2 : 1
        if halvings > 0 { halvings -= 1 }
      }
      if stack.output.shape.rank > 1, model.input(of: body).shape.rank == 1 { try stack.appendAverage() }
      do throws(ConfigurationError) {
        try stack.append(in: &scope) { (input, scope: inout ParameterScope) throws(ConfigurationError) in
          try model.fresh(body, for: input, stride: stride, in: &scope)
        }
      } catch {
        throw ConfigurationError(
          "rule auglocal cannot copy block \(chosen) of \(model.name) for block \(place.block): \(error.message)")
      }
      previous = own
    }
    if !place.predictsPositions, stack.output.shape.rank > 1 { try stack.appendAverage() }
    if stack.output.shape.rank == 2 { stack.append(in: &scope) { LayerNorm($0, in: &$1) } }
    if depths.depth <= 1, stack.output.shape.rank == 1 { stack.append(in: &scope) { BatchNorm($0, in: &$1) } }
    stack.append(in: &scope) { LinearLayer($0, outputs: place.outputs, in: &$1) }
    return HeadLoss(head: stack.sequential, scope: place.name, objective: place.objective)
  }

  private static func halvings(from previous: Int, to extent: Int) -> Int {
    var (halvings, present) = (0, Double(previous))
    while present / Double(extent) >= 2.0.squareRoot() {
      halvings += 1
      present /= 2
    }
    return halvings
  }
}

extension Stack {
  /// Appends what makes one row of images by averaging, and of a sequence by laying its positions side by side.
  fileprivate mutating func appendAverage() throws(ConfigurationError) {
    append(output.shape.rank == 3 ? try GlobalAveragePool(output) : Flatten(output))
  }
}
