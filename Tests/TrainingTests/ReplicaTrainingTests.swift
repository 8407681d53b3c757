import Communication
import Configuration
import Strategies
import Testing
import Training

@Suite("Replicas come to the same bits, whoever trains them")
struct ReplicaTrainingTests {
  @Test("on ranks and threads, and send the bytes of the formula", arguments: ReplicaRun.strategies)
  func ranks(_ strategy: String) throws {
    let alone = try ReplicaRun.train(strategy)[0]
    for ranks in [1, 2, 3, 5] {
      let outcomes = try ReplicaRun.train(strategy, ranks: ranks, ["compute.threads=\(1 + ranks % 2)"])
      for (rank, outcome) in outcomes.enumerated() {
        #expect(outcome.digest == alone.digest, "rank \(rank) of \(ranks)")
        #expect(outcome.summary.loss == alone.summary.loss && outcome.summary.accuracy == alone.summary.accuracy)
        let formula = outcome.formula.map { $0 ?? -1 }
        #expect(outcome.summary.bytesSent[rank] == formula.reduce(0, +), "rank \(rank) of \(ranks)")
        if rank == 0 { #expect(zip(outcome.counted, [0] + outcome.counted).map { $0 - $1 } == formula) }
      }
    }
  }

  @Test("evaluated and saved after every step, or recomputing", arguments: ReplicaRun.strategies)
  func observation(_ strategy: String) throws {
    let folder = try PersistenceFolder()
    let alone = try ReplicaRun.train(strategy)[0]
    let watched = try ReplicaRun.train(
      strategy, ranks: 2, ["training.evaluate=1 step", "checkpoint.every=1 step", "checkpoint.keep=1"],
      folder: "\(folder.path)/run")
    #expect(watched.allSatisfy { $0.digest == alone.digest && $0.summary.bytesSent == watched[0].summary.bytesSent })
    #expect(try ReplicaRun.train(strategy, ranks: 2)[0].summary.bytesSent == watched[0].summary.bytesSent)
    #expect(try ReplicaRun.train(strategy, ["training.recompute=true"])[0].digest == alone.digest)
  }

  @Test("from a checkpoint in the middle of a period, on other ranks", arguments: ReplicaRun.strategies)
  func resume(_ strategy: String) throws {
    let alone = try ReplicaRun.train(strategy)[0]
    for (step, before, after) in [(1, 2, 3), (4, 3, 1), (5, 1, 2), (7, 2, 1), (8, 5, 3)] {
      let folder = try PersistenceFolder()
      _ = try ReplicaRun.train(
        strategy, ranks: before, ["training.steps=\(step)"], folder: "\(folder.path)/run")
      let resumed = try ReplicaRun.train(strategy, ranks: after, folder: "\(folder.path)/run", resume: true)
      #expect(resumed.allSatisfy { $0.digest == alone.digest }, "step \(step), \(before) ranks, then \(after)")
      #expect(resumed[0].formula.count == 12 - step)
    }
  }

  @Test(
    "when it ends early, at the same step",
    arguments: ["{name: local-sgd, period: 3}", ReplicaRun.overlapped, "gossip"])
  func earlyStop(_ strategy: String) throws {
    let changes = [
      "training.steps=200", "training.evaluate=2 steps", "training.early-stop=2", "optimizer.learning-rate=0.5",
    ]
    let alone = try ReplicaRun.train(strategy, changes)[0]
    #expect(alone.summary.steps < 200)
    let other = try ReplicaRun.train(strategy, ranks: 3, changes)[0]
    #expect(other.summary.steps == alone.summary.steps && other.digest == alone.digest)
  }

  /// Equal shards, powers of two, whole batches.
  private static let even = [
    "training.batch=64", "training.shards=4", "training.accumulate=1", "training.steps=4", "data.subset=320",
  ]

  @Test("before its start, post-local SGD is all-reduce")
  func postLocal() throws {
    let plain = try ReplicaRun.train("allreduce", Self.even)[0]
    let other = try ReplicaRun.train("{name: post-local-sgd, start: 9 steps}", ranks: 3, Self.even)[0]
    #expect(other.digest == plain.digest)
  }

  @Test("with one worker they are plain SGD", arguments: ["local-sgd", "post-local-sgd", "gossip", "push-gossip"])
  func oneWorker(_ strategy: String) throws {
    let plain = try ReplicaRun.train("allreduce", ["training.shards=1"])[0]
    let other = try ReplicaRun.train(strategy, ["training.shards=1"])[0]
    #expect(other.digest == plain.digest && other.summary.bytesSent == [0])
  }

  @Test("more replicas than memory holds are refused, where one model would fit")
  func memory() throws {
    // 300 MB of weights, 1,117 times.
    let changes = [
      "model.layers=[flatten, {linear: 1000000}, {linear: 10}]", "training.shards=279", "training.batch=279",
    ]
    #expect {
      _ = try ReplicaRun.train("gossip", changes)
    } throws: { error in
      let error = RunError(error)
      return error.code == .refused && ["replicas 78.0", "lower training.shards"].allSatisfy(error.message.contains)
    }
  }
}
