/// What rounds came to, thinned out evenly once there are many: at most 2,000 points, whatever the number of rounds.
///
/// Every `stride`-th round is kept, and the newest. When the points are full, every other one goes and the stride doubles.
public struct RoundHistory: Sendable, Hashable {
  /// A round that ended.
  public struct Point: Sendable, Hashable {
    /// Its number, from 1.
    public var round: Int
    /// The loss after it; nil where it was not evaluated.
    public var loss: Double?
    /// The accuracy after it, 0…1; nil where it was not evaluated.
    public var accuracy: Double?
    /// Payload of its updates, in bytes.
    public var bytesUp: Int
    /// Payload that was sent to its clients, in bytes.
    public var bytesDown: Int

    /// A round's end.
    public init(round: Int, loss: Double?, accuracy: Double?, bytesUp: Int, bytesDown: Int) {
      self.round = round
      self.loss = loss
      self.accuracy = accuracy
      self.bytesUp = bytesUp
      self.bytesDown = bytesDown
    }
  }

  /// The most points that are kept.
  public static let limit = 2000

  /// Rounds that were appended.
  public private(set) var recorded = 0
  /// One point is kept for so many rounds.
  public private(set) var stride = 1
  /// The last accuracy that was measured.
  public private(set) var accuracy: Double?
  /// The last loss that was measured.
  public private(set) var loss: Double?
  private var kept: [Point] = []
  private var newest: Point?

  /// No round yet.
  public init() {}

  /// The points, in order; the last is the newest round.
  public var points: [Point] {
    guard let newest, (recorded - 1) % stride != 0 else { return kept }
    return kept + [newest]
  }

  /// Takes the round that ended. Complexity: O(1), amortised.
  public mutating func append(_ point: Point) {
    if recorded % stride == 0, kept.count == RoundHistory.limit - 1 {
      kept = Swift.stride(from: 0, to: kept.count, by: 2).map { kept[$0] }
      stride *= 2
    }
    if recorded % stride == 0 { kept.append(point) }
    newest = point
    recorded += 1
    accuracy = point.accuracy ?? accuracy
    loss = point.loss ?? loss
  }
}
