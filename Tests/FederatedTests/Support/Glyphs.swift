import Configuration
import Datasets
import Federated
import Layers
import Tensors

/// Little images of classes that an encoder can learn to tell: a random pattern for each class under noise.
enum Glyphs {
  static let side = 8

  /// `each` images of each class, class after class.
  static func source(classes: Int, each: Int, noise: Float = 0.3) -> any DataSource {
    var pixels: [UInt8] = []
    for label in 0..<classes {
      var pattern = RandomStream(seed: 3, .test, layer: UInt64(label))
      let ink = (0..<side * side).map { _ in Float(pattern.below(2)) }
      for sample in 0..<each {
        var random = RandomStream(seed: 4, .test, sample: UInt64(sample), layer: UInt64(label))
        pixels += ink.map { UInt8(min(max(($0 + noise * random.normal()) * 127 + 64, 0), 255)) }
      }
    }
    return ImageSource(
      pixels: pixels, shape: [side, side, 1],
      labels: (0..<classes).flatMap { [Int32](repeating: Int32($0), count: each) }, classes: classes)
  }

  /// The samples of each class.
  static func classes(_ classes: Int, each: Int) -> [[Int32]] {
    (0..<classes).map { label in (0..<each).map { Int32(label * each + $0) } }
  }

  /// A small encoder and its weights at the start.
  static func encoder(channels: Int = 16, seed: UInt64 = 1) throws -> (model: Model, store: ParameterStore) {
    var options = Options(
      try Node.parse("model: {name: prototype-encoder, channels: \(channels), blocks: 3}", file: "model.yaml"))
    let model = try ModelConfiguration(&options).build(input: Signal([side, side, 1]), classes: 2).model
    let store = ParameterStore(model.layout)
    model.layout.initialise(store, seed: seed)
    return (model, store)
  }
}
