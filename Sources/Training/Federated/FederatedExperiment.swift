import Communication
import Configuration
import Datasets
import Federated
import Glibc
import Layers
import Learning
import Optimizers
import Tensors

/// A configuration with a section `federated:`, read and checked as far as it can be without the data.
public struct FederatedExperiment: Sendable {
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
  /// How a client's parameters move.
  public let optimizer: OptimizerConfiguration
  /// The loss, where it is not the targets' own, and how much of each target is spread over all classes.
  public let loss: Objective.Loss?
  /// Share of each class target that is spread over all classes.
  public let labelSmoothing: Double
  /// Samples of a chunk of evaluation.
  public let evaluationBatch: Int
  /// The federation.
  public let federated: FederatedOptions
  /// When state is written.
  public let checkpoint: CheckpointOptions
  /// With what a rank computes.
  public let compute: ComputeOptions
  /// What a client does for a server elsewhere, at most; no part of the result.
  public let client: ClientLimits
  /// What is to go wrong; no part of the result.
  public let faults: [DemandedFault]
  /// Every key with its value, defaults filled in.
  public let resolved: Node

  /// Whether a configuration is one of a federation.
  public static func isOne(_ node: Node) -> Bool { node["federated"].map { !$0.isNull } ?? false }

  /// Reads a whole configuration.
  public init(_ node: Node) throws(ConfigurationError) {
    var options = Options(try Experiment.withContext(node))
    try self.init(&options)
    try options.finish()
  }

  /// Every key of a configuration; `choosing` picks among named choices.
  public static func document(choosing names: [String: String] = [:]) -> [KeyDescription] {
    Options.document(choosing: names) { (options) throws(ConfigurationError) in _ = try FederatedExperiment(&options) }
  }

  private init(_ options: inout Options) throws(ConfigurationError) {
    name = try options.text("name", default: "run", "name of the experiment, which run directories carry")
    seed = UInt64(try options.integer("seed", default: 1, in: 0...Int.max, "seed of everything random"))
    model = try ModelConfiguration(&options)
    data = try DataOptions(&options)
    learning = try LearningConfiguration(&options)
    try options.require(
      learning.noise == nil && learning.guidance == nil, key: "learning",
      "learning.gradient-noise and learning.guidance have no meaning beside federated: clients train by themselves, on rules "
        + "alone; leave them out")
    try options.require(
      !options.has("strategy"), key: "strategy",
      "strategy has no meaning beside federated; the method of a federation is federated.strategy")
    var clip: Double?
    (loss, labelSmoothing, evaluationBatch, clip) = try options.section(
      "training", "the loss that clients train towards; how much they train stands in federated"
    ) { (options) throws(ConfigurationError) in
      let name = try options.optionalChoice(
        "loss", of: Objective.Loss.allCases.map(\.rawValue),
        "the loss; by default cross-entropy for classes, else squares")
      let smoothing = try options.number(
        "label-smoothing", default: 0, in: .fractionBelowOne, "share of each target that is spread over all classes")
      let clip = try options.optionalNumber(
        "clip", in: .positive, "largest norm of a batch's gradient; larger ones are scaled down")
      let batch = try options.integer(
        "evaluation-batch", default: 256, in: 1...1 << 20, unit: "samples", "samples of a chunk of evaluation")
      return (name.flatMap(Objective.Loss.init(rawValue:)), smoothing, batch, clip)
    }
    optimizer = try OptimizerConfiguration(options: &options)
    let limit = clip
    federated = try options.section("federated", "clients, rounds, and the method of the federation") {
      (options) throws(ConfigurationError) in try FederatedOptions(&options, clip: limit)
    }
    checkpoint = try options.section("checkpoint", "when the state of training is written") {
      (options) throws(ConfigurationError) in try CheckpointOptions(&options, units: ["round"])
    }
    compute = try options.section("compute", "with what a rank computes") {
      (options) throws(ConfigurationError) in try ComputeOptions(&options, cores: FederatedExperiment.cores)
    }
    client = try options.section("client", "what a client does for a server elsewhere, at most") {
      (options) throws(ConfigurationError) in try ClientLimits(&options)
    }
    faults = try FaultCatalog.read(&options)
    for demand in faults where !FederatedExperiment.allows(demand.fault.occasion) {
      throw ConfigurationError(
        "\(demand.path) happens \(demand.fault.occasion), which a federation does not have: a step is a round there, and faults "
          + "happen at its start, at its checkpoint, or to files", at: demand.place)
    }
    resolved = options.resolved
  }

  /// Whether rounds have the occasion of a fault.
  private static func allows(_ occasion: FaultOccasion) -> Bool {
    if case .shard = occasion.victim { return false }
    return occasion.moment == nil || occasion.moment == .start || occasion.moment == .checkpoint
  }

  /// The machine's cores for each rank on it.
  private static var cores: Int {
    let all = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    return max(1, all / max(1, LauncherEnvironment.detect()?.localSize ?? 1))
  }
}

/// A federated experiment with its data, its model and its clients: what all ranks share.
public struct PreparedFederation: Sendable {
  /// The configuration.
  public let experiment: FederatedExperiment
  /// The data.
  public let dataset: Dataset
  /// The layers as the configuration has them.
  let plain: Model
  /// What clients and server know.
  public let task: FederatedTask
  /// Who takes part in rounds.
  public private(set) var setting: FederatedSetting
  /// On what clients are judged one by one; nil where they are not.
  public let clientTest: ClientTest?
  /// Every key with its value, the model's own included.
  public let resolved: Node

  /// Loads the data, unless some are given in their place, builds the model and gives clients their samples.
  ///
  /// A client that brings its own data is `owner`: it has all samples, whatever the partition says.
  public init(_ experiment: FederatedExperiment, dataset given: Dataset? = nil, owner: Int? = nil) throws(RunError) {
    do {
      let federated = experiment.federated
      let built = try PreparedModel(
        experiment.model, experiment.data, dataset: given, seed: experiment.seed, loss: experiment.loss,
        smoothing: experiment.labelSmoothing, experiment.learning, experiment.compute, recomputes: false,
        isClassifier: !federated.strategy.makesEmbeddings)
      (dataset, plain) = (built.dataset, built.plain)
      guard experiment.learning.stages == 1 else {
        throw ConfigurationError(
          "learning.stages is \(experiment.learning.stages), but a client trains alone; leave it out")
      }
      guard built.learning.boosting == nil else {
        throw ConfigurationError(
          "learning: \(type(of: experiment.learning.rule).name) follows no gradient, as clients do; choose another rule"
        )
      }
      guard built.learning.phases == 1 else {
        throw ConfigurationError(
          "learning: \(experiment.learning.name) trains in phases, which clients do not; choose another rule")
      }
      var partition: Partition
      (partition, clientTest) = try federated.evaluation.prepare(
        try federated.partition.partition(dataset.training, seed: experiment.seed), dataset, seed: experiment.seed)
      if let owner {
        partition = Partition(all: dataset.training.count, of: owner, clients: partition.clients)
      }
      var setting = try federated.setting(clients: partition.clients)
      // Of the simulation and of a server, so that both send the same.
      var widest = setting
      widest.devices.overSelection = max(setting.devices.overSelection, federated.network.overSelection)
      task = FederatedTask(
        learning: built.learning, compute: built.compute,
        optimizer: experiment.optimizer, seed: experiment.seed, training: dataset.training, partition: partition,
        local: federated.local, rounds: federated.rounds, cohort: try federated.cohort(of: partition.clients),
        largestCohort: widest.largestCohort(of: partition.clients), startsFromSeed: experiment.model.weights == nil)
      setting.devices = try setting.devices.loaded(clients: partition.clients)
      setting.clientsBringData = federated.network.largestClient != nil
      if let file = federated.participation {
        setting.participation = try ParticipationFile.read(file, clients: partition.clients)
      }
      self.setting = setting
      resolved = try experiment.resolved.replacing("model", by: built.resolved)
      self.experiment = experiment
    } catch { throw RunError(error) }
  }

  /// The federation of a server whose clients are elsewhere, and of each of those: time passes there as it does, and nothing is simulated.
  ///
  /// Noise comes from a key of the system, unless `fixedNoise`.
  public func served(fixedNoise: Bool) -> PreparedFederation {
    var served = self
    served.setting.drawsNoiseKey = !fixedNoise
    var devices = DeviceModel.ideal
    devices.overSelection = experiment.federated.network.overSelection
    served.setting.devices = devices
    return served
  }
}
