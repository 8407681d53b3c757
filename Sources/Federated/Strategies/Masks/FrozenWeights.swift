import Layers
import Tensors

/// Weights that are drawn by the seed, pruned and never trained, as strategies have them that train signs or masks: a block of
/// the broadcast, zero where pruned.
struct FrozenWeights {
  /// w₀ · g, one scalar a parameter.
  let weights: Storage
  /// Which weights are kept, in order: where the bits of an upload belong.
  let indices: [Int32]
  /// Those of each layer, as places of `indices`.
  let layers: [Range<Int>]

  /// Finds what is kept in a block.
  init(_ weights: Storage, _ layout: ParameterLayout) {
    self.weights = weights
    var indices: [Int32] = []
    var layers: [Range<Int>] = []
    for range in PruningMask(layout).prunable {
      let first = indices.count
      for i in range where weights.base[i] != 0 { indices.append(Int32(i)) }
      layers.append(first..<indices.count)
    }
    self.indices = indices
    self.layers = layers
  }

  /// Throws for models with scalars that are neither trained nor pruned by such strategies.
  static func check(_ task: FederatedTask, _ strategy: String) throws(FederatedError) {
    let others = task.layout.parameters.filter { $0.shape.rank < 2 }.map(\.name) + task.layout.states.map(\.name)
    guard let name = others.first else { return }
    throw FederatedError(
      .configuration,
      "\(strategy) trains no more than masks of weights, and the model has `\(name)`; leave out biases (bias: false) and "
        + "normalisation")
  }

  /// packed ← kept scalars of a block.
  func gather(_ scalars: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
    indices.withUnsafeBufferPointer { indices in
      var place = 0
      while place < indices.count {
        packed[place] = scalars[Int(indices[place])]
        place &+= 1
      }
    }
  }
}
