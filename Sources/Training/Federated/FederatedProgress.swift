import Federated

/// How far a federation has come: counts since its beginning, over all starts.
public struct FederatedProgress: Sendable, Hashable {
  /// Rounds made.
  public var round = 0
  /// Updates taken.
  public var updates = 0
  /// Updates that were not finite or too large.
  public var rejected = 0
  /// Rounds that had too few updates to combine.
  public var skipped = 0
  /// Clients that vanished or came too late.
  public var lost = 0
  /// Samples that clients trained on, each as often as it was.
  public var samples = 0
  /// Bytes that clients have sent.
  public var bytesUp = 0
  /// Bytes that clients were sent.
  public var bytesDown = 0
  /// Seconds of rounds, without evaluation.
  public var seconds = 0.0
  /// Steps of all clients.
  public var steps = 0

  /// The beginning.
  public init() {}

  mutating func add(_ record: RoundRecord, seconds: Double) {
    round = record.round
    updates += record.updates
    rejected += record.rejected
    skipped += record.isSkipped ? 1 : 0
    lost += record.lost
    samples += record.samples
    bytesUp += record.bytesUp
    bytesDown += record.bytesDown
    steps += record.steps
    self.seconds += seconds
  }
}
