import Communication

/// A statement that holds for every communicator, and how to check it. Every rank of the group checks it together.
public struct Law: Sendable, CustomStringConvertible {
  /// The statement.
  public let name: String
  /// Throws `LawViolation` where the statement is false, `CommunicationError` where ranks cannot talk.
  public let check: @Sendable (any Communicator) throws -> Void

  /// The statement.
  public var description: String { name }

  /// All laws.
  public static let all: [Law] = collectives + reductions + trees + requests + groups + memories + tickets + channels

  /// Checks all laws and that none leaves a request behind.
  public static func checkAll(_ communicator: any Communicator) throws {
    for law in all {
      do {
        try law.check(communicator)
      } catch let error as CommunicationError {
        throw CommunicationError(error.kind, "\(law.name): \(error.message)")
      }
      try expect(communicator.pending == 0, "\(law.name): \(communicator.pending) requests left")
    }
  }

  /// Sizes of buffers: nothing, one, odd, round, and large enough for every algorithm to cut it.
  static let sizes = [0, 1, 3, 17, 1_000, 100_003]
}

/// What a communicator did that it must not.
public struct LawViolation: Error, CustomStringConvertible {
  /// One line that names the law and the rank.
  public let description: String
}

func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
  if !condition { throw LawViolation(description: message()) }
}

/// Where the first element differs, bit for bit.
func expectSame<T: Sample>(_ actual: Block<T>, _ expected: (Int) -> T, _ what: @autoclosure () -> String) throws {
  for index in 0..<actual.count where !T.areSameBits(actual[index], expected(index)) {
    throw LawViolation(
      description: "\(what()): element \(index) is \(actual[index]), not \(expected(index))")
  }
}
