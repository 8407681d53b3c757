import Communication
import Configuration

/// Something that a configuration demands to go wrong, the same way in every runtime: a kind of entry of `faults:`.
///
/// A new kind is a file and a line of ``FaultCatalog/all``.  Faults belong to the configuration and not to the result: what
/// they leave of a run goes on to the digest of one that had none, unless they falsify numbers.
public protocol Fault: Sendable {
  /// What configurations call it.
  static var name: String { get }
  /// What it does, in a sentence or two.
  static var help: String { get }
  /// An entry of `faults:` in YAML.
  static var example: String { get }

  /// Reads its keys.
  init(_ options: inout Options) throws(ConfigurationError)
  /// To whom it happens, and when.
  var occasion: FaultOccasion { get }
  /// Ranks without which it cannot happen.
  var ranksNeeded: Int { get }
  /// Tells the rank, before its first step, what cannot wait for a moment of the loop; `identifier` is the fault's own.
  func prepare(_ rank: FaultyRank, identifier: Int)
  /// Makes it happen, at the moment of its occasion, on the thread of the rank.
  func happen(to rank: FaultyRank) throws(CommunicationError)
}

extension Fault {
  /// One rank is enough.
  public var ranksNeeded: Int { 1 }
  /// Nothing.
  public func prepare(_ rank: FaultyRank, identifier: Int) {}
  /// Nothing.
  public func happen(to rank: FaultyRank) throws(CommunicationError) {}
}

/// A fault of a configuration, and where it stands there.
public struct DemandedFault: Sendable {
  /// What is to go wrong.
  public let fault: any Fault
  /// Its dotted key: `faults.0.kill`.
  public let path: String
  /// Where it stands.
  public let place: Place
}
