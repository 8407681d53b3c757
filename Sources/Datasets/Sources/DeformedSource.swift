import Tensors

/// Images of another source under random affine maps: turned, sheared, scaled and moved, as handwriting varies.
///
/// The pixel at x, from the centre, takes what lies at (1 + D) x + m, between four pixels linearly: all numbers of D are uniform in
/// ±share, and those of m in ±share / 2 of a side.  What happens to a sample is keyed by (seed, augmentation, epoch, sample).
public final class DeformedSource: DataSource {
  private let whole: any DataSource
  private let seed: UInt64
  private let share: Float
  private let black: [Float]
  /// Shape of one input.
  public let inputShape: Shape

  /// Deforms by `share` at most; `black` lies beyond the edge, a number for each channel.
  public init(_ whole: any DataSource, seed: UInt64, share: Float, black: [Float]) {
    let shape = whole.inputShape
    precondition(whole.inputType == .float32 && shape.rank == 3, "images are [height, width, channels], not \(shape)")
    precondition(black.count == shape[2], "\(black.count) numbers for black in \(shape)")
    precondition(share >= 0 && share <= 0.5, "deformed by \(share)")
    self.whole = whole
    self.seed = seed
    self.share = share
    self.black = black
    inputShape = shape
  }

  /// Samples.
  public var count: Int { whole.count }
  /// What the scalars of an input are.
  public var inputType: InputType { whole.inputType }
  /// Shape of one target.
  public var targetShape: Shape { whole.targetShape }
  /// What the scalars of a target are.
  public var targetType: TargetType { whole.targetType }

  /// Writes one sample.
  public func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    whole.read(sample, epoch: epoch, into: input, targets: targets)
    var stream = RandomStream(seed: seed, .augmentation, epoch: epoch, sample: whole.key(sample), layer: 1)
    func draw() -> Float { (2 * stream.uniform() - 1) * share }
    let map = (1 + draw(), draw(), draw(), 1 + draw())
    let (down, right) = (draw() * Float(inputShape[0]) / 2, draw() * Float(inputShape[1]) / 2)
    let image = input.assumingMemoryBound(to: Float.self)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: inputShape.count) { copy in
      guard let original = copy.baseAddress else { return }
      original.update(from: image, count: inputShape.count)
      deform(original, into: image, map, down, right)
    }
  }

  private func deform(
    _ original: UnsafePointer<Float>, into image: UnsafeMutablePointer<Float>, _ map: (Float, Float, Float, Float),
    _ down: Float, _ right: Float
  ) {
    let (height, width, channels) = (inputShape[0], inputShape[1], inputShape[2])
    let (middle, centre) = (Float(height - 1) / 2, Float(width - 1) / 2)
    for row in 0..<height {
      for column in 0..<width {
        let (y, x) = (Float(row) - middle, Float(column) - centre)
        let source = (map.0 * y + map.1 * x + middle + down, map.2 * y + map.3 * x + centre + right)
        let corner = (source.0.rounded(.down), source.1.rounded(.down))
        let (top, left) = (Int(corner.0), Int(corner.1))
        let (below, beside) = (source.0 - corner.0, source.1 - corner.1)
        for channel in 0..<channels {
          func pixel(_ y: Int, _ x: Int) -> Float {
            guard y >= 0, y < height, x >= 0, x < width else { return black[channel] }
            return original[(y * width + x) * channels + channel]
          }
          let upper = pixel(top, left) * (1 - beside) + pixel(top, left + 1) * beside
          let lower = pixel(top + 1, left) * (1 - beside) + pixel(top + 1, left + 1) * beside
          image[(row * width + column) * channels + channel] = upper * (1 - below) + lower * below
        }
      }
    }
  }

  /// The number of the sample in the whole set.
  public func key(_ sample: Int) -> UInt64 { whole.key(sample) }
  /// The class of a sample.
  public func label(_ sample: Int) -> Int? { whole.label(sample) }
  /// Who made each sample, where that is known.
  public var groups: SampleGroups? { whole.groups }
  /// The other source, or what that one changes.
  public var unaugmented: any DataSource { whole.unaugmented }

  /// Feeds what decides the deformation, and the whole, to a checksum.
  public func fingerprint(_ checksum: inout Checksum) {
    checksum.update([share])
    checksum.update(black)
    whole.fingerprint(&checksum)
  }
}
