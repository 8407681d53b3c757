import Configuration
import Datasets
import Layers
import Learning
import Optimizers
import Strategies
import Tensors

/// A configuration, read and checked as far as it can be without the data.
public struct Experiment: Sendable {
  /// Its name, which run directories carry.
  public let name: String
  /// Seed of everything random.
  public let seed: UInt64
  /// The network.
  public let model: ModelConfiguration
  /// The data set.
  public let data: DataOptions
  /// How a batch becomes gradients.
  public let learning: LearningConfiguration
  /// How long and in what portions.
  public internal(set) var training: TrainingOptions
  /// How parameters move.
  public let optimizer: OptimizerConfiguration
  /// Makes a rank's strategy.
  public let strategy: @Sendable () -> any CommunicationStrategy
  /// When state is written.
  public let checkpoint: CheckpointOptions
  /// With what a rank computes.
  public let compute: ComputeOptions
  /// What is to go wrong; no part of the result.
  public let faults: [DemandedFault]
  /// Every key with its value, defaults filled in.
  public let resolved: Node

  /// Reads a whole configuration.
  public init(_ node: Node) throws(ConfigurationError) {
    var options = Options(try Experiment.withContext(node))
    try self.init(&options)
    try options.finish()
  }

  /// Every key of a configuration; `choosing` picks among named choices.
  public static func document(choosing names: [String: String] = [:]) -> [KeyDescription] {
    Options.document(choosing: names) { (options) throws(ConfigurationError) in _ = try Experiment(&options) }
  }

  /// A model that names its context names that of the data too, unless they say it themselves.
  package static func withContext(_ node: Node) throws(ConfigurationError) -> Node {
    guard let context = node["model"]?["context"], let data = node["data"], data["context"] == nil else { return node }
    return try node.setting("data.context", to: context.yamlOnOneLine(), source: "model.context")
  }

  private init(_ options: inout Options) throws(ConfigurationError) {
    name = try options.text("name", default: "run", "name of the experiment, which run directories carry")
    let seed = try options.integer("seed", default: 1, in: 0...Int.max, "seed of everything random")
    self.seed = UInt64(seed)
    model = try ModelConfiguration(&options)
    data = try DataOptions(&options)
    learning = try LearningConfiguration(&options)
    training = try options.section("training", "how long and in what portions") {
      (options) throws(ConfigurationError) in try TrainingOptions(&options)
    }
    optimizer = try OptimizerConfiguration(options: &options)
    strategy = try StrategyCatalog.read(&options)
    let exchange = strategy()
    do throws(ConfigurationError) {
      _ = try exchange.rule(for: optimizer.rule)
    } catch {
      try options.require(false, key: "optimizer", error.message)
    }
    try options.require(
      training.clip == nil || type(of: exchange).allowsClipping, key: "training",
      "strategy: \(type(of: exchange).name) has no gradient to clip; leave out training.clip")
    try options.require(
      learning.noise == nil || exchange is any GradientStrategy, key: "learning",
      "strategy: \(type(of: exchange).name) has no gradient of the whole batch to add noise to; leave out "
        + "learning.gradient-noise, or choose a strategy that exchanges gradients, such as allreduce")
    checkpoint = try options.section("checkpoint", "when the state of training is written") {
      (options) throws(ConfigurationError) in try CheckpointOptions(&options)
    }
    compute = try options.section("compute", "with what a rank computes") {
      (options) throws(ConfigurationError) in try ComputeOptions(&options)
    }
    faults = try FaultCatalog.read(&options)
    try options.require(
      training.patience == nil || data.hasValidation, key: "training",
      "training.early-stop needs data.validation: the test set decides nothing")
    resolved = options.resolved
  }

  /// Logical shards for a number of ranks; throws where ranks or samples do not go round.
  public func shards(ranks: Int) throws(ConfigurationError) -> Int {
    let ranks = try StageGrid.replicas(ranks: ranks, stages: learning.stages)
    switch training.shards {
    case .ranks:
      let shards = ranks * compute.threads
      guard shards <= training.batch else {
        throw ConfigurationError(
          "training.batch is \(training.batch), less than its \(shards) shards (\(ranks) ranks × \(compute.threads) threads)"
        )
      }
      return shards
    case .number(let shards):
      guard ranks <= shards else {
        throw ConfigurationError(
          "\(ranks) ranks share training.shards: \(shards); start at most \(shards) ranks, or raise training.shards")
      }
      return shards
    }
  }
}

/// An experiment with its data and its model: what all ranks share.
public struct PreparedExperiment: Sendable {
  /// The configuration.
  public private(set) var experiment: Experiment
  /// The data.
  public let dataset: Dataset
  /// The layers as the configuration has them.
  let plain: Model
  /// How a batch becomes gradients of the network.
  public let learning: any ModelLearning
  /// The network, built for the data.
  public var model: Model { learning.model }
  /// Its loss.
  public var objective: Objective { learning.objective }
  /// With what it is computed.
  public let compute: Compute
  /// Every key with its value, the model's own included.
  public private(set) var resolved: Node

  /// Loads the data, unless some are given in their place, and builds the model.
  public init(_ experiment: Experiment, dataset given: Dataset? = nil) throws(RunError) {
    do {
      let built = try PreparedModel(
        experiment.model, experiment.data, dataset: given, seed: experiment.seed, loss: experiment.training.loss,
        smoothing: experiment.training.labelSmoothing, experiment.learning, experiment.compute,
        recomputes: experiment.training.recompute)
      (compute, dataset, plain, learning) = (built.compute, built.dataset, built.plain, built.learning)
      resolved = try experiment.resolved.replacing("model", by: built.resolved)
      let strategy = experiment.strategy()
      self.experiment = experiment
      try StageGrid.check(experiment, learning)
      guard learning.boosting == nil || type(of: strategy).name == AllReduce.name else {
        throw ConfigurationError(
          "learning: \(type(of: experiment.learning.rule).name) follows no gradient that strategy: \(type(of: strategy).name) could "
            + "exchange; leave out strategy")
      }
      guard !(strategy is any ReplicaStrategy) || !learning.meets else {
        throw ConfigurationError(
          "strategy: \(type(of: strategy).name) trains a model for each shard, but batch normalisation with synchronised: "
            + "true in model: \(model.name) is over the batch of all shards; leave out synchronised, or choose a strategy that "
            + "exchanges gradients, such as allreduce")
      }
      guard !(strategy is any ReplicaStrategy) || learning.phases == 1 else {
        throw ConfigurationError(
          "strategy: \(type(of: strategy).name) trains a model for each shard, but learning: \(experiment.learning.name) "
            + "trains in phases; choose a strategy that exchanges gradients, such as allreduce")
      }
    } catch {
      throw RunError(error)
    }
  }
}

extension PreparedExperiment {
  /// The same with so many logical shards in place of `ranks`: a run keeps the number that it began with, so that it goes on
  /// with any number of ranks up to it.
  public func fixing(shards: Int) throws(RunError) -> PreparedExperiment {
    guard experiment.training.shards == .ranks else { return self }
    var fixed = self
    fixed.experiment.training.shards = .number(shards)
    do throws(ConfigurationError) {
      fixed.resolved = try resolved.setting("training.shards", to: "\(shards)", source: "training.shards")
    } catch { throw RunError(error) }
    return fixed
  }
}

extension Node {
  /// The map with the value of one key replaced.
  func replacing(_ key: String, by value: Node) throws(ConfigurationError) -> Node {
    let entries = (entries ?? []).map { entry in
      entry.key == key ? Entry(key: key, place: entry.place, value: value) : entry
    }
    return Node(.map(entries), at: place)
  }
}
