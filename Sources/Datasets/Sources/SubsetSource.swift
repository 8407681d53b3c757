import Tensors

/// Some samples of another source, in a given order.
public final class SubsetSource: DataSource {
  let whole: any DataSource
  private let samples: [Int32]

  /// Shape of one input.
  public let inputShape: Shape
  /// Shape of one target.
  public let targetShape: Shape
  /// What the scalars of an input are.
  public let inputType: InputType
  /// What the scalars of a target are.
  public let targetType: TargetType

  /// The samples of `whole` with the given numbers.
  public init(_ whole: any DataSource, _ samples: [Int32]) {
    precondition(samples.allSatisfy { $0 >= 0 && $0 < whole.count }, "a sample outside 0..<\(whole.count)")
    self.whole = whole
    self.samples = samples
    inputShape = whole.inputShape
    targetShape = whole.targetShape
    inputType = whole.inputType
    targetType = whole.targetType
  }

  /// Samples.
  public var count: Int { samples.count }

  /// Terms that a sample adds.
  public var termsPerSample: Int { whole.termsPerSample }

  /// The edges between rows.
  public var graph: Graph? { whole.graph }

  /// Writes one sample.
  public func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    whole.read(Int(samples[sample]), epoch: epoch, into: input, targets: targets)
  }

  /// The number of the sample in the whole set.
  public func key(_ sample: Int) -> UInt64 { whole.key(Int(samples[sample])) }

  /// The class of a sample.
  public func label(_ sample: Int) -> Int? { whole.label(Int(samples[sample])) }

  /// Who made each sample, where that is known.
  public var groups: SampleGroups? { whole.groups?.of(samples) }

  /// Feeds shapes and content to a checksum.
  public func fingerprint(_ checksum: inout Checksum) {
    checksum.update(samples)
    whole.fingerprint(&checksum)
  }

  /// Two parts of a source without common samples: the share `fraction` of it, rounded, and the rest.  Which samples
  /// go where is a permutation keyed by the seed; within a part they keep their order.
  public static func cut(
    _ whole: any DataSource, fraction: Double, seed: UInt64, layer: UInt64
  ) -> (part: SubsetSource, rest: SubsetSource) {
    precondition(fraction >= 0 && fraction <= 1, "a share of \(fraction)")
    var stream = RandomStream(seed: seed, .split, layer: layer)
    let order = stream.permutation(whole.count)
    let size = Int((Double(whole.count) * fraction).rounded())
    return (SubsetSource(whole, order[..<size].sorted()), SubsetSource(whole, order[size...].sorted()))
  }
}
