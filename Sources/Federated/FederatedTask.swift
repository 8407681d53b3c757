import Datasets
import Layers
import Learning
import Optimizers
import Tensors

/// What a federation trains, and how a client does: all that both halves of a strategy know before the first round.
public struct FederatedTask: Sendable {
  /// How a batch becomes gradients of the network.
  public let learning: any ModelLearning
  /// The network.
  public var model: Model { learning.model }
  /// Its loss.
  public var objective: Objective { learning.objective }
  /// With what it is computed.
  public let compute: Compute
  /// How a client's parameters move along gradients; its schedule counts rounds.
  public let optimizer: OptimizerConfiguration
  /// Seed of everything random.
  public let seed: UInt64
  /// The training samples of all clients.
  public let training: any DataSource
  /// Who holds which.
  public let partition: Partition
  /// How much a client trains.
  public let local: LocalWork
  /// Rounds there will be.
  public let rounds: Int
  /// Clients that are asked for in a round; for Poisson cohorts their expectation.
  public let cohort: Int

  /// The most clients that are ever asked for in a round: numbers that count them have room for it.
  public let largestCohort: Int
  /// Whether the initial model is a function of the seed, and not of weights that were trained before.
  public let startsFromSeed: Bool

  /// What a federation trains, and how; without a largest cohort that is the usual one.
  public init(
    learning: any ModelLearning, compute: Compute, optimizer: OptimizerConfiguration, seed: UInt64,
    training: any DataSource, partition: Partition, local: LocalWork, rounds: Int, cohort: Int,
    largestCohort: Int? = nil, startsFromSeed: Bool = true
  ) {
    self.learning = learning
    self.compute = compute
    self.optimizer = optimizer
    self.seed = seed
    self.training = training
    self.partition = partition
    self.local = local
    self.rounds = rounds
    self.cohort = cohort
    self.largestCohort = largestCohort ?? cohort
    self.startsFromSeed = startsFromSeed
  }

  /// Names and ranges of the model's scalars.
  public var layout: ParameterLayout { model.layout }

  /// The learning rate of clients in a round, counted from 0.
  public func learningRate(round: Int) -> Double {
    optimizer.learningRate(step: round, stepsPerEpoch: 1, totalSteps: rounds)
  }

  /// Samples of a client's batch: those of its largest one.
  public var largestBatch: Int { local.batchSize(of: max(1, partition.largest)) }
}

/// How much a client trains in a round.
public struct LocalWork: Sendable, Hashable {
  /// Passes over its samples.
  public let epochs: Int
  /// Fewest passes: where it is below ``epochs``, each visit draws a number between.
  public let leastEpochs: Int
  /// Steps after which a client stops in any case; nil for all of its passes.
  public let steps: Int?
  /// Samples of a batch; nil for all that a client has.
  public let batch: Int?
  /// Largest norm of a batch's gradient; nil for no clipping.
  public let clip: Double?

  /// So many passes in such batches.
  public init(epochs: Int, leastEpochs: Int? = nil, steps: Int? = nil, batch: Int?, clip: Double? = nil) {
    precondition(epochs >= 1 && leastEpochs.map { $0 >= 1 && $0 <= epochs } != false, "\(epochs) epochs")
    self.epochs = epochs
    self.leastEpochs = leastEpochs ?? epochs
    self.steps = steps
    self.batch = batch
    self.clip = clip
  }

  /// Samples of the first batch of a client that has so many.
  public func batchSize(of samples: Int) -> Int { min(samples, batch ?? samples) }

  /// The passes of a visit.
  func epochs(client: Int, round: Int, seed: UInt64) -> Int {
    if leastEpochs == epochs { return epochs }
    var stream = RandomStream(
      seed: seed, .selection, epoch: UInt64(round), sample: UInt64(client), layer: SelectionStream.passes)
    return leastEpochs + stream.below(epochs - leastEpochs + 1)
  }
}
