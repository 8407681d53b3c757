import Tensors

/// Random crops and mirror images of another source, as He et al. (CVPR 2016, section 4.2) train on CIFAR: pad each side,
/// cut the original size out of it at random, mirror left and right half of the time.
///
/// What happens to a sample is keyed by (seed, augmentation, epoch, sample).  It is done in place on the numbers the other
/// source wrote, so padding with black is padding with what black becomes after normalisation.
public final class AugmentedSource: DataSource {
  /// What lies beyond the edge of an image.
  public enum Padding: Sendable, Hashable {
    /// The same number everywhere, per channel.
    case constant([Float])
    /// The image mirrored at its edge pixels, which are not repeated.
    case reflection
  }

  private let whole: any DataSource
  private let seed: UInt64
  private let crop: Int
  private let flip: Bool
  private let padding: Padding

  /// Shape of one input.
  public let inputShape: Shape

  /// Pads `crop` pixels a side (0 for none, less than half of the image) and flips at random.
  public init(_ whole: any DataSource, seed: UInt64, crop: Int, flip: Bool, padding: Padding) {
    let shape = whole.inputShape
    precondition(whole.inputType == .float32 && shape.rank == 3, "images are [height, width, channels], not \(shape)")
    precondition(crop >= 0 && 2 * crop < min(shape[0], shape[1]), "crop \(crop) of an image \(shape)")
    if case .constant(let values) = padding {
      precondition(values.count == shape[2], "\(values.count) padding values for \(shape)")
    }
    self.whole = whole
    self.seed = seed
    self.crop = crop
    self.flip = flip
    self.padding = padding
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
    var stream = RandomStream(seed: seed, .augmentation, epoch: epoch, sample: whole.key(sample))
    let image = input.assumingMemoryBound(to: Float.self)
    if crop > 0 {
      let down = stream.below(2 * crop + 1) - crop
      let right = stream.below(2 * crop + 1) - crop
      move(image, down: down, right: right)
    }
    if flip, stream.nextWord() & 1 == 1 { mirror(image) }
  }

  /// Moves the image by some rows and columns and fills what it leaves.
  private func move(_ image: UnsafeMutablePointer<Float>, down: Int, right: Int) {
    let height = inputShape[0]
    let width = inputShape[1]
    let channels = inputShape[2]
    let row = width * channels
    let kept = row - abs(right) * channels
    // Rows are overwritten only after they were moved themselves.
    var step = 0
    while step < height - abs(down) {
      let target = down > 0 ? height - 1 - step : step
      let from = image + (target - down) * row + max(0, -right) * channels
      (image + target * row + max(0, right) * channels).update(from: from, count: kept)
      step += 1
    }
    let rows = max(0, down)..<(height + min(0, down))
    for y in rows { fill(line: image + y * row, count: width, stride: channels, moved: right) }
    let before = rows.lowerBound
    let after = rows.upperBound
    for y in 0..<before { fillRow(image, y, mirror: 2 * before - y, row) }
    for y in after..<height { fillRow(image, y, mirror: 2 * (after - 1) - y, row) }
  }

  /// Fills the pixels of a row that moving it by `moved` columns left over.
  private func fill(line: UnsafeMutablePointer<Float>, count: Int, stride: Int, moved: Int) {
    let first = max(0, moved)
    let last = count + min(0, moved) - 1
    for x in 0..<first { fillPixel(line, x, mirror: 2 * first - x, stride) }
    for x in (last + 1)..<count { fillPixel(line, x, mirror: 2 * last - x, stride) }
  }

  private func fillPixel(_ line: UnsafeMutablePointer<Float>, _ x: Int, mirror: Int, _ channels: Int) {
    switch padding {
    case .constant(let values):
      for channel in 0..<channels { line[x * channels + channel] = values[channel] }
    case .reflection:
      for channel in 0..<channels { line[x * channels + channel] = line[mirror * channels + channel] }
    }
  }

  private func fillRow(_ image: UnsafeMutablePointer<Float>, _ y: Int, mirror: Int, _ row: Int) {
    switch padding {
    case .constant(let values):
      var i = 0
      while i < row {
        for channel in 0..<values.count { image[y * row + i + channel] = values[channel] }
        i += values.count
      }
    case .reflection:
      (image + y * row).update(from: image + mirror * row, count: row)
    }
  }

  /// Swaps left and right.
  private func mirror(_ image: UnsafeMutablePointer<Float>) {
    let height = inputShape[0]
    let width = inputShape[1]
    let channels = inputShape[2]
    for y in 0..<height {
      let row = image + y &* width &* channels
      var left = 0
      var right = (width - 1) &* channels
      while left < right {
        var channel = 0
        while channel < channels {
          let value = row[left &+ channel]
          row[left &+ channel] = row[right &+ channel]
          row[right &+ channel] = value
          channel &+= 1
        }
        left &+= channels
        right &-= channels
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

  /// Feeds shapes and content to a checksum.
  public func fingerprint(_ checksum: inout Checksum) {
    checksum.update(crop)
    checksum.update(flip ? 1 : 0)
    if case .constant(let values) = padding { checksum.update(values) }
    whole.fingerprint(&checksum)
  }
}
