import Foundation
import Testing

@Suite("Batch normalisation over the whole batch")
struct SynchronisedTests {
  /// A small ResNet and a list of layers, on images; four shards, a last batch of two or three samples.
  static let experiments = [
    "photographs": ["--set", "model.synchronised=true", "--set", "training.steps=4"],
    "cnn": [
      "--set", "model.layers.1={batch-norm: {synchronised: true}}", "--set", "training.accumulate=2",
    ],
  ]

  @Test(
    "gives the same bits alone, on threads, on simulated ranks and under mpirun", arguments: ["photographs", "cnn"])
  func digest(_ name: String) throws {
    let tool = try Experiments.folder()
    let changes = try #require(Self.experiments[name])
    let alone = try tool.run(["train", "\(name).yaml", "--json"] + changes)
    alone.expectSuccess()
    #expect(alone.digest.count == 64)
    let apart = try tool.run("train", "\(name).yaml", "--json")
    #expect(apart.digest != alone.digest)
    for threads in 2...3 {
      let other = try tool.run(["train", "\(name).yaml", "--json", "--set", "compute.threads=\(threads)"] + changes)
      #expect(other.digest == alone.digest, "\(threads) threads")
    }
    for ranks in 2...4 {
      let simulated = try tool.run(["simulate", "\(name).yaml", "--json", "--ranks", "\(ranks)"] + changes)
      simulated.expectSuccess()
      let real = try tool.mpirun(ranks: ranks, ["train", "\(name).yaml", "--json"] + changes)
      real.expectSuccess()
      #expect(simulated.digest == alone.digest && real.digest == alone.digest, "\(ranks) ranks")
      #expect(simulated.json["bytes_sent"] as? [Int] == real.json["bytes_sent"] as? [Int])
    }
    let again = try tool.run(
      ["simulate", "\(name).yaml", "--json", "--ranks", "2", "--set", "training.recompute=true"] + changes)
    #expect(again.digest == alone.digest)
  }

  @Test("gives the same bits in bfloat16 on any number of ranks", .enabled(if: PrecisionTests.isPossible))
  func rounded() throws {
    let tool = try Experiments.folder()
    let changes = (Self.experiments["photographs"] ?? []) + PrecisionTests.bfloat16
    let digests = try [1, 3].map { ranks in
      let result = try tool.run(["simulate", "photographs.yaml", "--json", "--ranks", "\(ranks)"] + changes)
      result.expectSuccess()
      return result.digest
    }
    #expect(Set(digests).count == 1)
  }

  @Test("has right gradients, whose check takes one shard")
  func check() throws {
    let tool = try Experiments.folder()
    let model = """
      {layers: [{convolution: {channels: 4, padding: 1}}, {batch-norm: {synchronised: true}}, relu, flatten, {linear: 7}, \
      {batch-norm: {synchronised: true}}, {linear: 10}]}
      """
    let result = try tool.run("check", "digits.yaml", "--json", "--set", "model=\(model)")
    result.expectSuccess()
    #expect(result.json["gradients_right"] as? Bool == true)
  }

  @Test(
    "is refused where every shard has a model of its own",
    arguments: ["local-sgd", "post-local-sgd", "diloco", "streaming-diloco", "gossip", "push-gossip"])
  func replicas(_ strategy: String) throws {
    let tool = try Experiments.folder()
    let changes = ["--set", "model.layers.1={batch-norm: {synchronised: true}}", "--set", "strategy=\(strategy)"]
    for verb in ["train", "check"] {
      try tool.run([verb, "cnn.yaml"] + changes).expectFailure(
        3, "strategy: \(strategy)", "synchronised: true", "allreduce")
    }
    try tool.run("train", "cnn.yaml", "--set", "strategy=\(strategy)").expectSuccess()
  }

  @Test("is refused where there is none")
  func none() throws {
    let tool = try Experiments.folder()
    let model = "{name: vgg11, batch-norm: false, synchronised: true}"
    try tool.run("train", "photographs.yaml", "--set", "model=\(model)").expectFailure(3, "synchronised")
  }
}
