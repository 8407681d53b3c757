import Configuration
import Federated
import Tensors

/// Averages the directions of clients' changes, and moves along that mean by their mean length: a client far away counts as
/// much as one nearby.
///
/// Uploads 4 bytes a scalar and 4 for the length; downloads the model.
public struct EqualLengths: FederatedStrategy {
  /// The name in configurations.
  public static let name = "equal-lengths"
  /// What it does.
  public static let help = "averages the directions of clients' changes"
  private let step: Double

  /// Reads how far the server goes.
  public init(options: inout Options) throws(ConfigurationError) {
    step = try options.number("step", default: 1, in: .positive, "share of the mean length that the server goes")
  }

  /// The change, and a part of one number.
  public func plan(_ task: FederatedTask) -> FederatedPlan {
    let shared = SharedScalars(task.layout)
    return FederatedPlan(
      shared: shared, uploads: [.change(count: shared.count), UploadPart("length", .numbers, count: 1)])
  }

  /// What a client does: train, and say direction and length.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { Client() }

  /// What the server does with the means of both.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    Server(plan, broadcast, step: Float(step))
  }

  private final class Client: ClientHalf {
    func update(_ visit: ClientVisit) {
      visit.trainFromBroadcast(NoCorrection())
      visit.uploadChange()
      let change = visit.upload.scalars(0)
      guard let scalars = change.baseAddress else { return }
      let length = Reductions.squares(scalars, change.count).squareRoot()
      if length > 0 { VectorMath.scale(scalars, by: Float(1 / length), count: change.count) }
      visit.upload.scalars(1)[0] = Float(length)
    }
  }

  private final class Server: ServerHalf {
    let plan: FederatedPlan
    let broadcast: Broadcast
    let step: Float

    init(_ plan: FederatedPlan, _ broadcast: Broadcast, step: Float) {
      self.plan = plan
      self.broadcast = broadcast
      self.step = step
    }

    func combine(_ outcome: RoundOutcome) {
      plan.shared.add(outcome.mean(0), scaledBy: step * outcome.mean(1)[0], to: broadcast.model)
    }
  }
}
