import Compression
import Configuration
import Optimizers
import Tensors

/// HideNseek (arXiv 2206.04385): the server draws a network and prunes it once, without data; magnitudes are frozen, and clients
/// learn together a sign for each weight that is left.  One bit a weight goes up.
///
/// The paper's abstract says that much; rounds, rates and the formula of aggregation are ours.  Weights are Kaiming-normal by
/// the seed and the mask is a function of seed and density, so that clients rebuild both and download neither (criteria that
/// look at samples send the mask, a bit a weight, to clients that do not follow).  With k weights left:
///
/// - mode `change`: clients train a latent ω, at first w₀, in w = |w₀| · sign ω (sign 0 = +1) by plain gradient descent on w
///   passed straight through, ω within ±|w₀|, and upload one drawn bit a weight of its change with the change's root mean
///   square a layer.  Server: ω ← clip(ω + mean(A) · Σ b / m).
///   Up ⌈k/8⌉ + 4 bytes a layer; down ⌈k ⌈log₂(M+1)⌉ / 8⌉ + 4 a layer + 4 to a client that took part in the round before, else
///   4k.
/// - mode `votes`: clients train a latent s in w = w₀ · sign s with the task's optimizer on ∂L/∂w · w₀, and upload sign s.
///   `soft`: s ← α Σ b / m, down ⌈k ⌈log₂(M+1)⌉ / 8⌉ + 4 bytes; `hard`: s ← ± α by majority, a tie keeps the old bit,
///   down ⌈k/8⌉.  Up ⌈k/8⌉.
///
/// m is the number of updates of the round, M the largest that it may be; all clients count alike.  Models have no biases and no normalisation.
public struct HideNseek: FederatedStrategy {
  /// The name in configurations.
  public static let name = "hidenseek"
  /// What it does.
  public static let help = "prunes once without data; clients learn signs of the weights left, one bit each up"

  /// What a client uploads of its latent.
  enum Mode: String, CaseIterable {
    case change
    case votes
  }

  /// What clients are told of votes.
  enum Tally: String, CaseIterable {
    case soft
    case hard
  }

  let density: Double
  let criterion: any PruningCriterion
  let mode: Mode
  let tally: Tally
  let alpha: Float

  /// Reads density, criterion and mode.
  public init(options: inout Options) throws(ConfigurationError) {
    density = try options.density()
    criterion = try PruningCatalog.read(&options)
    let mode = try options.choice(
      "mode", of: Mode.allCases.map(\.rawValue), default: Mode.change.rawValue,
      "what a client uploads, a bit a weight: the change of its latent weights, or their signs")
    self.mode = Mode(rawValue: mode) ?? .change
    let tally = try options.choice(
      "tally", of: Tally.allCases.map(\.rawValue), default: Tally.soft.rawValue,
      "what clients are told of votes: their mean, or the majority; for mode votes")
    self.tally = Tally(rawValue: tally) ?? .soft
    alpha = Float(
      try options.number(
        "alpha", default: 1, in: .positive, "the latent of a weight that all voted for; for mode votes"))
  }

  /// Throws for models with more than weights, for criteria that do not go with the model, and, for the mode `change`, for
  /// optimizers other than plain gradient descent.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    try FrozenWeights.check(task, HideNseek.name)
    if mode == .change {
      let rule = task.optimizer.rule as? SGD
      guard let rule, rule.momentum == 0, rule.weightDecay == 0 else {
        throw FederatedError(
          .configuration,
          "hidenseek's mode change needs plain gradient descent; set optimizer.name to sgd, without momentum and "
            + "weight-decay, or federated.strategy.mode to votes")
      }
    }
    do throws(ConfigurationError) { try criterion.check(task) } catch {
      throw FederatedError(.configuration, error.message)
    }
    let full = PruningMask(task.layout)
    let (kept, layers) = (Pruning.keptCount(of: full.prunableCount, density: density), full.prunable.count)
    let sizes = HideNseekWire.Sizes(self, task)
    let (down, mask) = (sizes.download, sizes.mask)
    var uploads = [UploadPart("signs", .votes, count: kept)]
    if mode == .change { uploads.append(UploadPart("scales", .numbers, count: layers)) }
    var plan = FederatedPlan(
      shared: SharedScalars(task.layout), uploads: uploads,
      blocks: [
        BroadcastBlock("frozen", count: task.layout.parameterCount, bytes: mask),
        BroadcastBlock("latent", count: task.layout.parameterCount, bytes: down.other - mask),
      ], weighting: .clients)
    plan.downloadBytes = down
    return plan
  }

  /// Trains signs.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    mode == .change ? SignChangeClient(self, task, plan) : SignVoteClient(self, task, plan)
  }

  /// Prunes, and counts votes.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    HideNseekServer(self, task, broadcast)
  }
}

extension Options {
  /// The key `density` of strategies that prune.
  mutating func density(default value: Double = 0.5) throws(ConfigurationError) -> Double {
    try number("density", default: value, in: .positiveFraction, "share of the weights that is kept")
  }
}
