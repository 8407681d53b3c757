import Communication
import Configuration
import Tensors
import Testing
import Training

@Suite("Shards that meet come to the same bits, whoever computes them")
struct SynchronisedTrainingTests {
  /// Convolution, a residual, dropout, accumulation; a step in seven has three samples for five shards.
  static let yaml = """
    name: meetings
    seed: 11
    model:
      layers:
        - batch-norm: {synchronised: true, affine: false}
        - convolution: {channels: 6, kernel: 3, padding: 1}
        - batch-norm: {synchronised: true}
        - relu
        - residual: [{convolution: {channels: 6, kernel: 3, padding: 1}}, {batch-norm: {synchronised: true}}]
        - relu
        - max-pool: 2
        - flatten
        - dropout: 0.2
        - linear: 13
        - batch-norm: {synchronised: true}
        - linear: 10
    data: {name: digits, subset: 310, validation: 0.1}
    training: {steps: 12, batch: 23, shards: 5, accumulate: 2, evaluate: 100 steps, bucket: 1024}
    optimizer: {name: adamw, learning-rate: 3e-3, weight-decay: 0.1}

    """

  /// What a rank reports.
  struct Outcome: Sendable {
    let summary: TrainingSummary
    let formula: [Int?]
    let parameters: [Float]
    let states: [Float]
  }

  static func train(
    _ changes: [String] = [], ranks: Int = 1, folder: String? = nil, resume: Bool = false
  ) throws -> [Outcome] {
    var node = try Node.parse(yaml, file: "meetings.yaml")
    for change in changes {
      let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
      node = try node.setting(parts[0], to: parts[1], source: change)
    }
    let prepared = try PreparedExperiment(try Experiment(node))
    return try InProcessCommunicator.run(ranks: ranks) { communicator in
      let loop = try TrainingLoop(prepared, communicator)
      if let folder {
        let directory =
          communicator.rank == 0 ? try RunDirectory(name: "meetings", path: folder, resume: resume) : nil
        try loop.keepCheckpoints(in: directory, resume: resume)
      }
      let first = loop.progress.step
      let summary = try loop.run()
      return Outcome(
        summary: summary, formula: (first..<summary.steps).map { loop.bytesSent(step: $0) },
        parameters: Array(loop.store.parameters.scalars), states: Array(loop.store.states.scalars))
    }.map { try $0.get() }
  }

  static let strategies = [
    "allreduce", "{name: zero, stage: 2}", "{name: hierarchical, group: 2}", "top-k", "adasum", "bfloat16",
  ]

  @Test("on ranks and threads, and send the bytes of the formula", arguments: strategies)
  func ranks(_ strategy: String) throws {
    let alone = try Self.train(["strategy=\(strategy)"])[0]
    #expect(alone.summary.bytesSent == [0])
    for ranks in 1...5 {
      let outcomes = try Self.train(["strategy=\(strategy)", "compute.threads=\(1 + ranks % 3)"], ranks: ranks)
      for (rank, outcome) in outcomes.enumerated() {
        #expect(outcome.summary.parametersDigest == alone.summary.parametersDigest, "rank \(rank) of \(ranks)")
        #expect(outcome.states == alone.states)
        #expect(outcome.summary.loss == alone.summary.loss && outcome.summary.accuracy == alone.summary.accuracy)
        let formula = outcome.formula.map { $0 ?? -1 }
        #expect(outcome.summary.bytesSent[rank] == formula.reduce(0, +), "rank \(rank) of \(ranks)")
      }
    }
  }

  @Test("recomputing, without overlap, in buckets of another size, and resumed on other ranks")
  func otherwise() throws {
    let alone = try Self.train()[0].summary.parametersDigest
    for change in ["training.recompute=true", "training.overlap=false", "training.bucket=100000"] {
      #expect(try Self.train([change], ranks: 3)[0].summary.parametersDigest == alone, "\(change)")
    }
    let folder = try PersistenceFolder()
    _ = try Self.train(["training.steps=5"], ranks: 2, folder: "\(folder.path)/run")
    let resumed = try Self.train(ranks: 3, folder: "\(folder.path)/run", resume: true)
    #expect(resumed[0].formula.count == 7 && resumed.allSatisfy { $0.summary.parametersDigest == alone })
  }

  /// Dropout is keyed by sample, so that only the order of additions differs.
  @Test("and, up to rounding, to those of one shard that has the whole batch", arguments: [2, 3, 5])
  func wholeBatch(shards: Int) throws {
    let changes = ["training.steps=6", "optimizer={name: sgd, learning-rate: 0.05, momentum: 0.9}"]
    let unsynchronised = try Self.train(changes + ["training.shards=1"] + Self.apart)[0]
    let one = try Self.train(changes + ["training.shards=1"])[0]
    let several = try Self.train(changes + ["training.shards=\(shards)"])[0]
    let apart = try Self.train(changes + ["training.shards=\(shards)"] + Self.apart)[0]
    #expect(one.parameters == unsynchronised.parameters)
    func error(_ a: [Float], _ b: [Float]) -> Double {
      let difference = zip(a, b).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
      return (difference / b.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
    }
    for (found, expected) in [(several.parameters, one.parameters), (several.states, one.states)] {
      #expect(error(found, expected) < 1e-5)
    }
    #expect(error(apart.parameters, one.parameters) > 1e-3)
  }

  /// The same model with shards that do not meet.
  static let apart =
    [0, 2, 10].map { "model.layers.\($0).batch-norm.synchronised=false" } + [
      "model.layers.4={residual: [{convolution: {channels: 6, kernel: 3, padding: 1}}, batch-norm]}"
    ]

  @Test("memory is that of all shards of a rank at once")
  func memory() throws {
    func estimate(_ changes: [String], ranks: Int) throws -> Int {
      var node = try Node.parse(Self.yaml, file: "meetings.yaml")
      for change in changes {
        let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
        node = try node.setting(parts[0], to: parts[1], source: change)
      }
      let all = try MemoryEstimate.all(try PreparedExperiment(try Experiment(node)), ranks: ranks)
      return all.map { $0[.activations] }.max() ?? 0
    }
    // Of a rank with one, three and all five shards; the largest chunk of an evaluation shares the memory of one.
    let (one, three, five) = (try estimate([], ranks: 5), try estimate([], ranks: 2), try estimate([], ranks: 1))
    #expect(three > one && five - one == 2 * (three - one))
    #expect(try estimate(Self.apart, ranks: 1) < 2 * one)
  }
}
