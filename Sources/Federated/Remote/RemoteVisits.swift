import Datasets

/// Visits clients in place of an engine's own workers: clients elsewhere, which train for themselves and send their uploads.
public protocol RemoteVisits: AnyObject {
  /// Samples that a client has; nil where the task's partition says.
  func samples(of client: Int) -> Int?

  /// Has the clients of a round visited, gives it their uploads in any order, and returns once the round may be concluded.
  /// Whoever has given none is lost.
  func visit(_ round: OpenRound) throws

  /// Waits until the buffer of an asynchronous server is full.
  func fill(_ buffer: OpenBuffer) throws

  /// What it remembers between rounds, for checkpoints.
  var memory: [ServerMemory] { get }

  /// The state after a round, counted from 0, has reached the disk: what was counted in it will not be asked for again.
  func kept(_ round: Int)
}

/// What a client is asked to do in a round.
public struct VisitOrder: Sendable, Hashable, Codable {
  /// Rounds before this one.
  public var round: Int
  /// Passes over its samples.
  public var epochs: Int
  /// Its learning rate.
  public var learningRate: Double
  /// What its update weighs.
  public var weight: Int
  /// What the updates of all who are asked weigh: decides the fixed point of sums.
  public var totalWeight: Int
  /// The largest norm of its change; nil for any.
  public var changeLimit: Double?

  /// An order.
  public init(round: Int, epochs: Int, learningRate: Double, weight: Int, totalWeight: Int, changeLimit: Double?) {
    self.round = round
    self.epochs = epochs
    self.learningRate = learningRate
    self.weight = weight
    self.totalWeight = totalWeight
    self.changeLimit = changeLimit
  }
}

/// Numbers of rounds, and of an asynchronous server's versions, that anybody may name.
public enum RoundNumbers {
  /// Counted from 0, and far from what sums and differences have no room for.
  public static let range = 0..<1 << 40
}

extension VisitOrder {
  /// Whether any round could ask for it: no server makes a client trap.
  public var isPossible: Bool {
    RoundNumbers.range.contains(round) && (0...1_000_000).contains(epochs) && learningRate.isFinite && learningRate >= 0
      && (1...1 << 54).contains(totalWeight) && (0...totalWeight).contains(weight) && changeLimit.map { $0 > 0 } ?? true
  }
}

/// What a client tells of a visit beside its upload.
public struct VisitReport: Sendable, Hashable, Codable {
  /// Steps it made.
  public var steps: Int
  /// Sum of the losses of all terms.
  public var loss: Double
  /// Terms in that sum.
  public var terms: Int
  /// Whether its change was not clipped.
  public var isWhole: Bool
  /// Whether its upload can be summed; otherwise it sends none.
  public var isAcceptable: Bool

  /// A report.
  public init(steps: Int, loss: Double, terms: Int, isWhole: Bool, isAcceptable: Bool) {
    self.steps = steps
    self.loss = loss
    self.terms = terms
    self.isWhole = isWhole
    self.isAcceptable = isAcceptable
  }

  /// Throws for numbers that no visit comes to, and that sums over clients have no room for.
  public func check() throws(DataError) {
    let most = 1 << 40
    guard 0...most ~= steps, 0...most ~= terms, loss.isFinite else {
      throw DataError(.unsuitable, "a report of \(steps) steps, \(terms) terms and a loss of \(loss)")
    }
  }

  init(_ record: VisitRecord) {
    self.init(
      steps: record.steps, loss: record.loss.isFinite ? record.loss : 0, terms: record.terms, isWhole: record.isWhole,
      isAcceptable: record.status == .accepted)
  }
}
