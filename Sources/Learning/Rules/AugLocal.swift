import Configuration
import Layers
import Tensors

/// Augmented local learning (Ma, Wu et al., ICLR 2024): every block but the last ones learns through copies of the architecture
/// of some of the blocks after it, chosen evenly up to the last.
public struct AugLocal: LearningRule {
  /// The name in configurations.
  public static let name = "auglocal"
  /// What it does.
  public static let help = "every block learns through fresh copies of some of the blocks after it"

  private let count: Int?
  private let depth: Int
  private let pyramid: Double

  /// Reads `blocks`, `depth` and `pyramid`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    depth = try options.integer(
      "depth", default: 2, in: 1...1 << 16, "most blocks of an auxiliary net; the last module has one more than these")
    pyramid = try options.number(
      "pyramid", default: 0.5, in: .fraction, "how much of the depth the auxiliary nets lose from first to last")
  }

  /// One auxiliary net a module but the last.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try Blocks(model, count: count)
    let layers = blocks.bodies.count
    guard depth < layers else {
      throw ConfigurationError(
        "learning.depth is \(depth), but \(model.name) has \(layers) blocks: at most \(layers - 1) can follow the first"
      )
    }
    let depths = AuxiliaryDepths(layers: layers, depth: depth, pyramid: pyramid)
    let last = blocks.bodies[depths.modules - 1].lowerBound..<model.layers.count
    return try LocallyTrainedModel(
      model, objective, modules: blocks.bodies[..<(depths.modules - 1)] + [last],
      CopiedBlocks(blocks: blocks, depths: depths))
  }
}

/// How deep auxiliary nets are, and which of the model's blocks they copy.
package struct AuxiliaryDepths: Sendable {
  /// Blocks of the model.
  package let layers: Int
  /// The deepest net, which is the first.
  package let depth: Int
  /// τ: the last net has the share 1 − τ of the depth, and τ blocks more.
  package let pyramid: Double

  /// The nets of a model of some blocks.
  package init(layers: Int, depth: Int, pyramid: Double) {
    (self.layers, self.depth, self.pyramid) = (layers, depth, pyramid)
  }

  /// K: all but the last have an auxiliary net.
  package var modules: Int { layers - depth }

  /// The depth of the net of a module: from d to d (1 − τ) + τ, rounded half to even.
  package func depth(of module: Int) -> Int {
    let fall = modules > 2 ? Double(module) * pyramid / Double(modules - 2) : 0
    return max(1, Int((Double(depth) * (1 - fall) + fall).rounded(.toNearestOrEven)))
  }

  /// The blocks that the net of a module copies; the last of them is the model's last.
  package func copied(by module: Int) -> [Int] {
    let (after, wanted) = (layers - module - 1, depth(of: module))
    if wanted >= after { return Array(module + 1..<layers) }
    return (1...wanted).map {
      Int((Double(module) + Double(after) / Double(wanted) * Double($0)).rounded(.toNearestOrEven))
    }
  }
}

/// Losses through copied blocks.
private struct CopiedBlocks: LocalLossKind {
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
    if model.output.shape.rank == 1, stack.output.shape.rank > 1 { try stack.appendAverage() }
    if stack.output.shape.rank == 2 { stack.append(in: &scope) { LayerNorm($0, in: &$1) } }
    if depths.depth <= 1, stack.output.shape.rank == 1 { stack.append(in: &scope) { BatchNorm($0, in: &$1) } }
    stack.append(in: &scope) { LinearLayer($0, outputs: model.output.shape[-1], in: &$1) }
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
