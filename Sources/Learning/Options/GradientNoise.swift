import Configuration
import Glibc
import Tensors

/// Noise that is added to the gradient of every step (Neelakantan et al. 2015): normal with variance scale / (1 + t)^decay
/// after t steps.
///
/// It is added to the gradient of the whole batch, before clipping, and is a function of seed, step and place of a parameter's
/// scalar: the same for any number of ranks, each of which may add it to any part of the parameters.
public struct GradientNoise: Sendable {
  /// The variance of the first step.
  public let scale: Double
  /// The power of the step's number that the variance is divided by.
  public let decay: Double

  /// Noise of a variance that falls.
  public init(scale: Double, decay: Double) {
    self.scale = scale
    self.decay = decay
  }

  /// Reads the key `gradient-noise`; nil where it is absent or adds nothing.
  static func read(_ options: inout Options) throws(ConfigurationError) -> GradientNoise? {
    guard options.has("gradient-noise") || options.isDocumenting else { return nil }
    return try options.section("gradient-noise", "normal noise added to the gradient of every step; none unless given")
    {
      (options) throws(ConfigurationError) in
      let scale = try options.number("scale", in: .nonNegative, "its variance in the first step")
      let decay = try options.number(
        "decay", default: 0.55, in: .nonNegative, "the variance of step t is divided by (1 + t) to this power")
      return scale > 0 ? GradientNoise(scale: scale, decay: decay) : nil
    }
  }

  /// Standard deviation after `step` steps.
  public func deviation(step: Int) -> Double { (scale / pow(Double(1 + step), decay)).squareRoot() }

  /// Adds the noise of a step to the scalars of a range; `gradients` stands for scalar 0 of the whole block.
  ///
  /// Box and Muller in Float32 on words of Philox: the numbers of four scalars from each counter.
  public func add(to gradients: UnsafeMutablePointer<Float>, _ range: Range<Int>, seed: UInt64, step: Int) {
    if range.isEmpty { return }
    let mixed = RandomStream.key(seed: seed, .noise, epoch: UInt64(step), layer: GradientNoise.stream)
    let key = (UInt32(truncatingIfNeeded: mixed), UInt32(truncatingIfNeeded: mixed &>> 32))
    let deviation = Float(deviation(step: step))
    for block in range.lowerBound / 4...(range.upperBound - 1) / 4 {
      let counter = UInt64(block)
      let words = RandomStream.philox(
        key: key, counter: (UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter &>> 32), 0, 0))
      let (a, b) = GradientNoise.normals(words.0, words.1)
      let (c, d) = GradientNoise.normals(words.2, words.3)
      let four = SIMD4(a, b, c, d) * deviation
      let first = block &* 4
      for lane in max(0, range.lowerBound &- first)..<min(4, range.upperBound &- first) {
        gradients[first &+ lane] += four[lane]
      }
    }
  }

  /// Tells these numbers from other noise of the seed.
  private static let stream = UInt64(1) << 61

  @inline(__always)
  private static func normals(_ first: UInt32, _ second: UInt32) -> (Float, Float) {
    let radius = (-2 * logf((Float(first) + 1) * 0x1p-32)).squareRoot()
    let angle = 2 * Float.pi * (Float(second) * 0x1p-32)
    return (radius * cosf(angle), radius * sinf(angle))
  }
}
