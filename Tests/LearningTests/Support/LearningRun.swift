import Communication
import Configuration
import Learning
import Training

/// A short training with a learning rule, on ranks that are threads of this process.
enum LearningRun {
  /// Batch normalisation, dropout and images whose extents are odd; the last batch of an epoch is short.
  static let yaml = """
    name: learning
    seed: 11
    model: {layers: [{convolution: {channels: 6, kernel: 3}}, batch-norm, relu, {max-pool: 2}, flatten, {linear: 17}, relu,
      {dropout: 0.2}, {linear: 10}]}
    data: {name: digits, subset: 310}
    training: {steps: 12, batch: 23, shards: 5, evaluate: 100 steps}
    optimizer: {name: sgd, learning-rate: 0.05, momentum: 0.9}

    """

  /// An experiment with a rule and changed settings, such as `model=mlp`.
  static func prepare(_ learning: String, _ changes: [String] = [], yaml: String = yaml) throws -> PreparedExperiment {
    var node = try Node.parse(yaml + "learning: \(learning)\n", file: "learning.yaml")
    for change in changes {
      let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
      node = try node.setting(parts[0], to: parts[1], source: change)
    }
    return try PreparedExperiment(try Experiment(node))
  }

  /// Trains; the summary of rank 0.
  static func train(
    _ learning: String, ranks: Int = 1, _ changes: [String] = [], yaml: String = yaml
  ) throws -> TrainingSummary {
    let prepared = try prepare(learning, changes, yaml: yaml)
    return try InProcessCommunicator.run(ranks: ranks) { communicator in
      try TrainingLoop(prepared, communicator).run()
    }[0].get()
  }
}
