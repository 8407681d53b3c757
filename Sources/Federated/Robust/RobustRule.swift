import Configuration

/// A rule that combines updates which must be seen together.  Unweighted unless it says otherwise.
///
/// The result is a function of the updates in client order: bits do not depend on workers, which cut coordinates or pairs of
/// clients.  Rules see updates that were accepted (``UpdateSet``), perhaps clipped (``NormClipping``).
public protocol RobustRule: Sendable {
  /// Its name and options.
  static var kind: RobustRuleKind { get }

  /// Throws where `clients` updates are too few for what the rule promises.  Called before the run for the cohort, and again
  /// for each round whose cohort shrank by rejected updates.
  func check(clients: Int) throws(ConfigurationError)

  /// result ← the combination.  Precondition: `check` has passed.  Nothing is allocated once `scratch` has met the cohort.
  func combine(
    _ set: UpdateSet, into result: UnsafeMutablePointer<Float>, _ scratch: RobustScratch, _ workers: Workers)
}

/// A robust rule that a configuration can name.  Adding one is a file and a line of ``FederatedCatalog/all``.
public struct RobustRuleKind: Sendable {
  /// Reads the rule's options.
  public typealias Make = @Sendable (inout Options) throws(ConfigurationError) -> any RobustRule

  /// The name in configurations.
  public let name: String
  /// What it is, in a sentence.
  public let help: String
  /// Reads its options.
  public let make: Make

  init(_ name: String, _ help: String, make: @escaping Make) {
    self.name = name
    self.help = help
    self.make = make
  }
}

extension RobustRule {
  /// Throws `name needs at least … updates`, with the way out.
  func require(_ needed: Int, of clients: Int, because reason: String) throws(ConfigurationError) {
    if clients < needed {
      throw ConfigurationError(
        "\(Self.kind.name) needs at least \(needed) updates (\(reason)) and has \(clients); "
          + "raise the cohort or lower the share of attackers")
    }
  }
}
