/// What one batch is to hold.
public struct BatchRequest: Sendable {
  /// Numbers of the samples.
  public let samples: ArraySlice<Int32>
  /// The epoch they are read for.
  public let epoch: UInt64

  /// Samples for an epoch.
  public init(samples: ArraySlice<Int32>, epoch: UInt64) {
    self.samples = samples
    self.epoch = epoch
  }
}
