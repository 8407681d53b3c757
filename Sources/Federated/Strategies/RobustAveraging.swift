import Configuration
import Tensors

/// ``FedAvg``'s clients with a server that combines their changes by a rule that stands up to attackers, under the rule's name.
///
/// The cohort that is planned must be large enough for the rule, which is checked before the run.  Where rejected updates, lost
/// clients or a small Poisson cohort leave a round fewer, the model stays, the round counts as skipped, and the run goes on.
public struct RobustAveraging<Rule: RobustRule>: FederatedStrategy {
  /// The name in configurations.
  public static var name: String { Rule.kind.name }
  /// What it does.
  public static var help: String { Rule.kind.help }
  private let rule: any RobustRule

  /// Reads the options of the rule.
  public init(options: inout Options) throws(ConfigurationError) { rule = try Rule.kind.make(&options) }

  /// The change of all scalars, to be seen together.
  public func plan(_ task: FederatedTask) -> FederatedPlan {
    FederatedPlan(shared: SharedScalars(task.layout), rule: rule)
  }

  /// Trains from the broadcast.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { AveragingClient() }

  /// Adds what the rule has made of the changes.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    AveragingServer(plan, broadcast)
  }
}
