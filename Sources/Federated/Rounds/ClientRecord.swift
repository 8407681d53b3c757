/// What became of one client of a round: a column of the ledger.
public struct ClientRecord: Sendable, Hashable {
  /// What became of its part.
  public enum Status: String, Sendable, CaseIterable {
    /// Its update was taken.
    case accepted
    /// It has no samples.
    case empty
    /// Its update was not finite, or beyond what sums hold.
    case rejected
    /// It vanished, came too late, or was left out.
    case lost

    init(_ status: VisitRecord.Status) {
      switch status {
      case .accepted: self = .accepted
      case .empty: self = .empty
      case .rejected: self = .rejected
      case .lost, .unknown: self = .lost
      }
    }
  }

  /// Who it is.
  public let client: Int
  /// What became of it.
  public let status: Status
  /// Samples it has.
  public let samples: Int
  /// Steps it made.
  public let steps: Int
  /// Bytes it sent.
  public let bytesUp: Int
  /// Bytes it was sent.
  public let bytesDown: Int
  /// The version of the model that it was sent, by the updates before; nil where all are sent that of the round.
  public let version: Int?
}
