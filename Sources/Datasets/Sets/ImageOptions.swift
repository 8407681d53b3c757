import Configuration
import Tensors

/// The options of sets of images: how they are scaled and what is done to training images at random.
package struct ImageOptions: Sendable {
  var normalise = true
  var mean: [Float] = []
  var deviation: [Float] = []
  var crop = 0
  var flip = false
  var deform = 0.0
  var reflects = false

  package init() {}

  /// Reads the keys.
  init(_ options: inout Options) throws(ConfigurationError) {
    normalise = try options.flag(
      "normalise", default: true, "scale pixels by the mean and deviation known for the set; false leaves 0...1")
    mean = try options.numbers(
      "mean", default: [], "mean to subtract in place of the set's, for all channels or for each"
    ).map { Float($0) }
    deviation = try options.numbers(
      "deviation", default: [], in: .positive, "deviation to divide by, as many numbers as in `mean`"
    ).map { Float($0) }
    try options.require(mean.count == deviation.count, key: "deviation", "mean and deviation need as many numbers each")
    try options.section("augment", "random changes to training images") { (options) throws(ConfigurationError) in
      crop = try options.integer(
        "crop", default: 0, in: 0...1024, unit: "pixels", "pad each side by so many and cut the size out at random")
      flip = try options.flag("flip", default: false, "mirror left and right half of the time")
      let padding = try options.choice(
        "padding", of: ["zero", "reflect"], default: "zero", "what lies beyond the edge: black, or the image mirrored")
      reflects = padding == "reflect"
      deform = try options.number(
        "deform", default: 0, in: .between(0, 0.5),
        "share by which images are turned, sheared, scaled and moved at random, with black beyond the edge")
    }
  }

  /// The normalisation to use for a set that has `standard` as its own, of images with so many channels.
  func normalisation(_ standard: Normalisation, channels: Int) throws(DataError) -> Normalisation {
    if !mean.isEmpty {
      guard mean.count == 1 || mean.count == channels else {
        throw DataError(.unsuitable, "data.mean has \(mean.count) numbers for images of \(channels) channels")
      }
      return Normalisation(mean: mean, deviation: deviation)
    }
    return normalise ? standard : .identity
  }

  /// Wraps a training part.
  func augment(_ parts: Parts, seed: UInt64) throws(DataError) -> any DataSource {
    guard crop > 0 || flip || deform > 0 else { return parts.training }
    let shape = parts.training.inputShape
    guard parts.training.inputType == .float32, shape.rank == 3 else {
      throw DataError(.unsuitable, "data.augment is for images, and samples here are \(shape)")
    }
    guard 2 * crop < min(shape[0], shape[1]) else {
      throw DataError(.unsuitable, "data.augment.crop is \(crop); it must be less than half of the image \(shape)")
    }
    let black = parts.black ?? [Float](repeating: 0, count: shape[2])
    let deformed =
      deform > 0 ? DeformedSource(parts.training, seed: seed, share: Float(deform), black: black) : parts.training
    guard crop > 0 || flip else { return deformed }
    return AugmentedSource(
      deformed, seed: seed, crop: crop, flip: flip, padding: reflects ? .reflection : .constant(black))
  }
}
