import Layers
import Tensors

/// How what a layer makes is compared with what feedback makes of the targets.
enum CounterComparison: Sendable {
  /// MSE(a cᵀ, Y) · 256 / features: the products with the features of each class are to be 1 for the own class, else 0.
  case products
  /// The same for rows of length 1, without the factor, + ½ MSE(â âᵀ, I) + ½ MSE(ĉ ĉᵀ, I): samples differ, and so do classes.
  case cosines
  /// MSE(a, c) · height of the images.
  case distances
}

/// What a comparison reads, of one place between layers.
struct CounterPair {
  /// What the model makes: a row a sample.
  let forward: Value
  /// What feedback makes: a row a class, or a sample.
  let backward: Value
  /// One sample's or class's features.
  let signal: Signal
}

extension CounterComparison {
  /// Records the losses between the two, whose sum over shards is a mean over samples.  `targets` are `[rows, classes]` of
  /// zeros with a one; nil for distances.
  ///
  /// Both values are `[rows, …]` and are compared as rows in the order they have in memory.
  func record(
    _ pair: CounterPair, _ targets: Value?, scale: Float, _ objective: Objective, _ recorder: Recorder
  ) -> [Value] {
    let width = pair.signal.shape.count
    func rows(_ value: Value) -> Value { recorder.reshape(value, [recorder.shape(value)[0], width]) }
    let (a, c) = (rows(pair.forward), rows(pair.backward))
    let classes = Float(recorder.shape(c)[0])
    switch (self, targets) {
    case (.products, let targets?):
      let weight = scale * 256 / (Float(width) * classes)
      return [recorder.meanSquaredError(recorder.linear(a, c), targets, weight: weight)]
    case (.cosines, let targets?):
      let (samples, features) = (recorder.l2Normalise(a), recorder.l2Normalise(c))
      let matching = recorder.meanSquaredError(recorder.linear(samples, features), targets, weight: scale / classes)
      let size = Float(recorder.batch)
      let apart = [(samples, 1 / size), (features, size / (classes * classes))].filter { recorder.needsGradient($0.0) }
      return [matching]
        + apart.map { rows, share in
          let products = recorder.linear(rows, rows)
          return recorder.meanSquaredError(products, recorder.identity(recorder.shape(rows)[0]), weight: 0.5 * share)
        }
    default:
      let height = pair.signal.shape.rank == 3 ? pair.signal.shape[0] : 1
      let weight = scale * Float(objective.targetsPerSample * height) / Float(width)
      // Each side moves towards where the other is: together the gradient of one loss of both.
      return [(a, c), (c, a)].filter { recorder.needsGradient($0.0) }.map { moving, aim in
        recorder.meanSquaredError(moving, recorder.detach(aim), weight: weight)
      }
    }
  }
}
