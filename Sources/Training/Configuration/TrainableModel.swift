import Datasets
import Federated
import Layers
import Learning
import Tensors

/// A model with its data, its loss and how gradients are made: what every kind of training has, and all that is needed to look
/// at a model without training it.
public struct TrainableModel: Sendable {
  /// The name of the experiment.
  public let name: String
  /// The data.
  public let dataset: Dataset
  /// The layers as the configuration has them, without what a learning rule adds or takes away.
  public let plain: Model
  /// The network, built for the data.
  public var model: Model { learning.model }
  /// Its loss.
  public var objective: Objective { learning.objective }
  /// How a batch becomes gradients.
  public let learning: any ModelLearning
  /// With what it is computed.
  public let compute: Compute
  /// Seed of everything random.
  public let seed: UInt64
  /// The weights that training starts from, where they are not drawn.
  public let weights: String?
  /// Samples of a chunk of evaluation.
  public let evaluationBatch: Int
  /// Threads that compute.
  public let threads: Int
}

extension PreparedExperiment {
  /// What it has in common with other kinds of training.
  public var trainable: TrainableModel {
    TrainableModel(
      name: experiment.name, dataset: dataset, plain: plain, learning: learning, compute: compute,
      seed: experiment.seed,
      weights: experiment.model.weights,
      evaluationBatch: experiment.training.evaluationBatch, threads: experiment.compute.threads)
  }
}

extension PreparedFederation {
  /// What it has in common with other kinds of training.
  public var trainable: TrainableModel {
    TrainableModel(
      name: experiment.name, dataset: dataset, plain: plain, learning: task.learning, compute: task.compute,
      seed: task.seed,
      weights: experiment.model.weights,
      evaluationBatch: experiment.evaluationBatch, threads: experiment.compute.threads)
  }
}
