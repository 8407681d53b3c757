import Tensors

/// Weights as sign and mask training wants them: normal with mean 0 and deviation √(2 / inputs of a unit) (He, Zhang, Ren, Sun,
/// ICCV 2015, equation 10).  Magnitudes are frozen from there on, so that they should differ; a constant one leaves pruning
/// by flow nothing to go by.
enum KaimingNormal {
  /// Writes all parameters of more than one axis; a function of the seed and the order of declaration.
  static func write(_ store: ParameterStore, seed: UInt64) {
    for (index, parameter) in store.layout.parameters.enumerated() where parameter.shape.rank > 1 {
      var random = RandomStream(seed: seed, .initialisation, layer: UInt64(index))
      let deviation = (2 / Double(parameter.shape.count / parameter.shape[0])).squareRoot()
      for i in parameter.range {
        var weight: Float
        // A zero has no sign, and would pass for pruned.
        repeat { weight = Float(deviation * random.normalDouble()) } while weight == 0
        store.parameters.base[i] = weight
      }
    }
  }
}
