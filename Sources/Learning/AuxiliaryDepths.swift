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
