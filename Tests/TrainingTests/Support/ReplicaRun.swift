import Communication
import Configuration
import Strategies
import Training

/// A short training in which every worker has a model of its own, on ranks that are threads of this process.
struct ReplicaRun {
  /// Names of all strategies that move replicas, with periods that a short run sees the end of; one that is not listed has
  /// its defaults.
  static let strategies: [String] = {
    let short = [
      "local-sgd": "period: 3", "post-local-sgd": "start: 4 steps, period: 3", "diloco": "period: 3",
      "streaming-diloco": "period: 4, fragments: 2",
    ]
    let names = StrategyCatalog.all.filter { $0 is any ReplicaStrategy.Type }.map { $0.name }
    return names.map { name in short[name].map { "{name: \(name), \($0)}" } ?? name } + [overlapped]
  }()

  /// A fragment is under way in four steps of five.
  static let overlapped = "{name: streaming-diloco, period: 10, fragments: 2, delay: 4, mixing: 0.5}"

  /// Batch normalisation, dropout, clipping, accumulation; every seventh step has three samples for five workers.
  static let yaml = """
    name: replicas
    seed: 11
    model: {layers: [flatten, {linear: 17}, batch-norm, relu, {dropout: 0.3}, {linear: 10}]}
    data: {name: digits, subset: 310, validation: 0.1}
    training: {steps: 12, batch: 23, shards: 5, accumulate: 2, clip: 0.5, evaluate: 100 steps}
    optimizer: {name: adamw, learning-rate: 3e-3, weight-decay: 0.1}

    """

  /// What a rank reports.
  struct Outcome: Sendable {
    let summary: TrainingSummary
    /// Bytes of each step by formula.
    let formula: [Int?]
    /// Bytes counted until the end of each step; on rank 0 only.
    let counted: [Int]
    let digest: String
  }

  private final class Counter: TrainingObserver {
    var bytes: [Int] = []
    func stepEnded(_ record: StepRecord) { bytes.append(record.bytesSent) }
  }

  /// Trains with changed settings; in a folder, it keeps checkpoints or goes on from them.
  static func train(
    _ strategy: String, ranks: Int = 1, _ changes: [String] = [], folder: String? = nil, resume: Bool = false
  ) throws -> [Outcome] {
    var node = try Node.parse(yaml + "strategy: \(strategy)\n", file: "replicas.yaml")
    for change in changes {
      let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
      node = try node.setting(parts[0], to: parts[1], source: change)
    }
    let prepared = try PreparedExperiment(try Experiment(node))
    return try InProcessCommunicator.run(ranks: ranks) { communicator in
      let counter = Counter()
      let loop = try TrainingLoop(prepared, communicator, observers: communicator.rank == 0 ? [counter] : [])
      if let folder {
        let directory =
          communicator.rank == 0 ? try RunDirectory(name: "replicas", path: folder, resume: resume) : nil
        try loop.keepCheckpoints(in: directory, resume: resume)
      }
      let first = loop.progress.step
      let summary = try loop.run()
      return Outcome(
        summary: summary, formula: (first..<summary.steps).map { loop.bytesSent(step: $0) }, counted: counter.bytes,
        digest: summary.parametersDigest)
    }.map { try $0.get() }
  }
}
