import Communication
import Configuration
import Tensors

/// When and what the ranks tell each other.  One object belongs to one rank and holds both sides of the optimizer step.
///
/// A worker is a logical shard; a rank that holds several runs them in turn, so that the result does not depend on how many
/// ranks there are.  Adding a strategy is a file and a line of `StrategyCatalog.all`.
public protocol CommunicationStrategy: AnyObject, SendableMetatype {
  /// The name in configurations.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }
  /// Reads its options.
  init(options: inout Options) throws(ConfigurationError)

  /// Allocates what it needs, before the first step.
  func prepare(_ plan: ExchangePlan) throws(CommunicationError)
  /// The gradients of a bucket are final in all sums of this rank; starts the exchange.  Buckets come in order.
  func gradientsReady(bucket: Int, _ sums: [Storage]) throws(CommunicationError)
  /// Moves exchanges along; called often, between operations.
  func poll() throws(CommunicationError)
  /// Completes the exchange and returns the block that holds the gradients to apply, tail included.
  func finishGradients(_ sums: [Storage]) throws(CommunicationError) -> Storage
}

/// What a strategy knows before the first step.
public struct ExchangePlan: Sendable {
  /// The ranks.
  public let communicator: any Communicator
  /// The order of addition.
  public let tree: ShardTree
  /// Names and ranges of the parameters.
  public let layout: ParameterLayout
  /// Ranges that are exchanged one by one, in this order.
  public let buckets: [Range<Int>]
  /// Scalars of a gradient block, its tail included.
  public let scalars: Int

  /// All of it.
  public init(
    communicator: any Communicator, tree: ShardTree, layout: ParameterLayout, buckets: [Range<Int>], scalars: Int
  ) {
    self.communicator = communicator
    self.tree = tree
    self.layout = layout
    self.buckets = buckets
    self.scalars = scalars
  }

  /// The sums that a rank holds: the largest subtrees within its shards.
  public func subtrees(of rank: Int) -> [Range<Int>] {
    tree.subtrees(in: tree.shards(of: rank, parts: communicator.size))
  }
}

/// The strategies that a configuration can name, one line each.
public enum StrategyCatalog {
  /// All of them.
  public static let all: [any CommunicationStrategy.Type] = [
    AllReduce.self
  ]

  /// Reads the key `strategy:`.
  public static func read(_ options: inout Options) throws(ConfigurationError)
    -> @Sendable () -> any CommunicationStrategy
  {
    let names = all.map { $0.name }
    return try options.named("strategy", of: names, default: AllReduce.name, "how ranks exchange gradients") {
      (name, options) throws(ConfigurationError) in
      guard let type = all.first(where: { $0.name == name }) else { preconditionFailure("\(name) was checked") }
      _ = try type.init(options: &options)
      let resolved = options.resolved
      return {
        var options = Options(resolved)
        guard let strategy = try? type.init(options: &options) else {
          preconditionFailure("options of \(name) were checked")
        }
        return strategy
      }
    }
  }
}
