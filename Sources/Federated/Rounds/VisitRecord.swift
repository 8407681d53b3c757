/// What became of one place of a cohort, as words that ranks add up: all but the rank that made the visit have zeros.
struct VisitRecord {
  /// What became of the client's part in a round.
  enum Status: Int64 {
    /// Nobody has said yet.
    case unknown = 0
    /// Its update was taken.
    case accepted
    /// It has no samples.
    case empty
    /// Its update was not finite, or beyond what sums hold.
    case rejected
    /// It vanished, or came too late.
    case lost

    init(_ status: ClientRecord.Status) {
      switch status {
      case .accepted: self = .accepted
      case .empty: self = .empty
      case .rejected: self = .rejected
      case .lost: self = .lost
      }
    }
  }

  /// Words of a record.
  static let words = 7

  var status = Status.unknown
  var steps = 0
  var loss = 0.0
  var terms = 0
  /// Whether its change was not clipped.
  var isWhole = false
  var bytesUp = 0
  /// Bytes that the client was sent, where the plan does not say.
  var bytesDown: Int?

  init() {}

  init(_ words: UnsafePointer<Int64>) {
    status = Status(rawValue: words[0]) ?? .unknown
    steps = Int(words[1])
    loss = Double(bitPattern: UInt64(bitPattern: words[2]))
    terms = Int(words[3])
    isWhole = words[4] != 0
    bytesUp = Int(words[5])
    bytesDown = words[6] == 0 ? nil : Int(words[6]) - 1
  }

  func write(_ words: UnsafeMutablePointer<Int64>) {
    words[0] = status.rawValue
    words[1] = Int64(steps)
    words[2] = Int64(bitPattern: loss.bitPattern)
    words[3] = Int64(terms)
    words[4] = isWhole ? 1 : 0
    words[5] = Int64(bytesUp)
    words[6] = bytesDown.map { Int64($0) + 1 } ?? 0
  }
}

/// What a round came to, the same on every rank.
public struct RoundRecord: Sendable, Hashable {
  /// Rounds made, this one included.
  public var round = 0
  /// Clients that were asked.
  public var selected = 0
  /// Updates that were taken.
  public var updates = 0
  /// Updates that were not finite or too large.
  public var rejected = 0
  /// Clients that vanished or came too late.
  public var lost = 0
  /// Clients without samples.
  public var empty = 0
  /// Whether there were too few updates to combine, so that the model stayed.
  public var isSkipped = false
  /// Why no updates were taken, where that was so before anybody was asked; nil otherwise.
  public var refusal: String?
  /// Steps that clients have made.
  public var steps = 0
  /// Samples that clients have trained on, each as often as it was.
  public var samples = 0
  /// Mean training loss over all terms of all clients; nil where nothing was trained.
  public var loss: Double?
  /// Bytes that clients have sent.
  public var bytesUp = 0
  /// Bytes that clients were sent.
  public var bytesDown = 0
  /// The learning rate of clients.
  public var learningRate = 0.0
  /// What the round would have taken on the clients' devices and links; 0 where those are ideal.
  public var simulatedSeconds = 0.0
  /// What more is known of it, by name: the ε spent, the norm that clips.
  public var others: [String: Double] = [:]
}
