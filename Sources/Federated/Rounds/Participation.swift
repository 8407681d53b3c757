/// Who took part in the rounds of a federation, and whose update counted: what a simulation needs to come to the same result as
/// a run whose clients came late, or not at all.
public struct Participation: Sendable, Hashable {
  /// A round's part.
  public struct Round: Sendable, Hashable {
    /// Who was asked, ascending.
    public let clients: [Int32]
    /// Whose update counted, place by place.
    public let counted: [Bool]
    /// Samples that they had, place by place.
    public let samples: [Int]

    /// The versions of the model that they were sent, place by place; nil where rounds have cohorts.
    public let versions: [Int]?

    /// A round in which some were asked.  Precondition: lists of one length, clients ascending.
    public init(clients: [Int32], counted: [Bool], samples: [Int], versions: [Int]? = nil) {
      precondition(
        clients.count == counted.count && clients.count == samples.count
          && clients.count == versions?.count ?? clients.count,
        "lists of different lengths")
      precondition(zip(clients, clients.dropFirst()).allSatisfy { $0 < $1 }, "clients in no order")
      self.clients = clients
      self.counted = counted
      self.samples = samples
      self.versions = versions
    }
  }

  private let rounds: [Int: Round]

  /// The rounds that are known, counted from 0.
  public init(_ rounds: [Int: Round]) { self.rounds = rounds }

  /// A round, counted from 0; nil where it is not known, and is drawn.
  public subscript(round: Int) -> Round? { rounds[round] }
}
