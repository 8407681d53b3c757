import Communication
import Configuration
import Optimizers

/// When and what the ranks tell each other.  One object belongs to one rank.
///
/// A worker is a logical shard; a rank that holds several runs them in turn, so that the result does not depend on how many
/// ranks there are.  There are two kinds: a ``GradientStrategy`` exchanges gradients, and one model moves by their sum; a
/// ``ReplicaStrategy`` lets every worker move a model of its own and brings the models together.  Adding one of either kind
/// is a file and a line of ``StrategyCatalog/all``.
public protocol CommunicationStrategy: AnyObject, SendableMetatype {
  /// The name in configurations.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }
  /// Whether gradients can be clipped before they move parameters (`training.clip`).
  static var allowsClipping: Bool { get }
  /// Reads its options.
  init(options: inout Options) throws(ConfigurationError)

  /// The rule that moves the parameters, given the configured one: the same unless the strategy does a part of its work.
  /// Throws for a rule that the strategy does not go with.  Asked before `prepare`.
  func rule(for configured: any UpdateRule) throws(ConfigurationError) -> any UpdateRule
  /// Moves exchanges along; called often, between operations.
  func poll() throws(CommunicationError)
  /// What it remembers from step to step, as far as this rank holds it.  The same blocks at all times after `prepare`.
  var memory: [StrategyMemory] { get }
  /// What it will allocate on a rank.  Asked before `prepare`; a training that does not fit is refused by it.
  func bytes(_ share: RankShare) -> StrategyBytes
  /// Payload bytes that a rank sends in a step, by the formula in the strategy's documentation, exactly; nil where it is not
  /// the same in every step of the kind.  What the training loop sends beside it is not the strategy's.  The ledger counts
  /// bytes independently, and tests hold the two together.
  func bytesSent(step: Int) -> Int?
}

extension CommunicationStrategy {
  /// They can, where what moves parameters is a gradient.
  public static var allowsClipping: Bool { true }
  /// The configured rule.
  public func rule(for configured: any UpdateRule) throws(ConfigurationError) -> any UpdateRule { configured }
  /// Nothing to move.
  public func poll() throws(CommunicationError) {}
  /// Nothing.
  public var memory: [StrategyMemory] { [] }
  /// Nothing worth counting.
  public func bytes(_ share: RankShare) -> StrategyBytes { StrategyBytes() }
}
