import Tensors

/// Another source with who made each of its samples.
final class GroupedSource: DataSource {
  let whole: any DataSource
  let groups: SampleGroups?

  /// Groups the samples of `whole`.
  init(_ whole: any DataSource, _ groups: SampleGroups) {
    precondition(groups.numbers.count == whole.count, "\(groups.numbers.count) groups for \(whole.count) samples")
    self.whole = whole
    self.groups = groups
  }

  var count: Int { whole.count }
  var inputShape: Shape { whole.inputShape }
  var inputType: InputType { whole.inputType }
  var targetShape: Shape { whole.targetShape }
  var targetType: TargetType { whole.targetType }

  func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    whole.read(sample, epoch: epoch, into: input, targets: targets)
  }

  func key(_ sample: Int) -> UInt64 { whole.key(sample) }

  func label(_ sample: Int) -> Int? { whole.label(sample) }

  func fingerprint(_ checksum: inout Checksum) {
    if let groups { checksum.update(groups.numbers) }
    whole.fingerprint(&checksum)
  }
}
