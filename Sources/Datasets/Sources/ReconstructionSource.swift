import Tensors

/// The samples of another source, each its own target, as it comes out of augmentation.
final class ReconstructionSource: DataSource {
  private let whole: any DataSource

  /// Precondition: samples are numbers.
  init(_ whole: any DataSource) {
    precondition(whole.inputType == .float32, "tokens as values to predict")
    self.whole = whole
  }

  var count: Int { whole.count }
  var inputShape: Shape { whole.inputShape }
  var inputType: InputType { .float32 }
  var targetShape: Shape { whole.inputShape }
  var targetType: TargetType { .values }
  var groups: SampleGroups? { whole.groups }

  /// What the whole has for targets is read and left.
  func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    withUnsafeTemporaryAllocation(byteCount: max(4, 4 * whole.targetShape.count), alignment: 16) { own in
      guard let own = own.baseAddress else { preconditionFailure("no room for targets") }
      whole.read(sample, epoch: epoch, into: input, targets: own)
    }
    targets.copyMemory(from: input, byteCount: 4 * inputShape.count)
  }

  func key(_ sample: Int) -> UInt64 { whole.key(sample) }

  var unaugmented: any DataSource { ReconstructionSource(whole.unaugmented) }

  func fingerprint(_ checksum: inout Checksum) {
    checksum.update(targetShape)
    whole.fingerprint(&checksum)
  }
}
