import Foundation
import Testing

@Suite("The same bits, whoever computes them")
struct InvarianceTests {
  static let experiments = ["mlp", "cnn", "photographs", "gpt", "early"]

  @Test("alone, on threads, on simulated ranks and under mpirun", arguments: experiments)
  func digest(_ name: String) throws {
    let tool = try Experiments.folder()
    let alone = try tool.run("train", "\(name).yaml", "--json", "--run", "alone")
    alone.expectSuccess()
    #expect(alone.digest.count == 64)
    func expectSame(_ other: CommandResult, ranks: Int, sourceLocation: SourceLocation = #_sourceLocation) {
      other.expectSuccess(sourceLocation: sourceLocation)
      #expect(other.digest == alone.digest, "\(other.command)", sourceLocation: sourceLocation)
      for key in ["loss", "accuracy", "steps", "samples", "epochs", "parameters"] {
        #expect(
          other.json[key] as? Double == alone.json[key] as? Double, "\(key) of \(other.command)",
          sourceLocation: sourceLocation)
      }
      #expect(other.json["ranks"] as? Int == ranks, sourceLocation: sourceLocation)
      #expect((other.json["bytes_sent"] as? [Int])?.count == ranks, sourceLocation: sourceLocation)
    }
    try expectSame(tool.run("train", "\(name).yaml", "--json", "--set", "compute.threads=2"), ranks: 1)
    try expectSame(tool.run("train", "\(name).yaml", "--json", "--set", "compute.threads=3"), ranks: 1)
    for ranks in 1...4 {
      try expectSame(tool.run("simulate", "\(name).yaml", "--json", "--ranks", "\(ranks)"), ranks: ranks)
    }
    try expectSame(
      tool.run("simulate", "\(name).yaml", "--json", "--ranks", "2", "--set", "compute.threads=2"), ranks: 2)
    for ranks in 2...4 { try expectSame(tool.mpirun(ranks: ranks, "train", "\(name).yaml", "--json"), ranks: ranks) }
  }

  @Test("and other bits for another seed, count of shards, or model", arguments: ["mlp", "cnn", "gpt"])
  func different(_ name: String) throws {
    let tool = try Experiments.folder()
    var digests: [String] = []
    for change in ["seed=12", "seed=13", "training.shards=2", "training.batch=29"] {
      let result = try tool.run("train", "\(name).yaml", "--json", "--set", change)
      result.expectSuccess()
      digests.append(result.digest)
    }
    #expect(Set(digests).count == digests.count)
  }

  @Test("a transport sends the same payload: under mpirun as in simulation", arguments: [2, 3])
  func payload(ranks: Int) throws {
    let tool = try Experiments.folder()
    let simulated = try tool.run("simulate", "mlp.yaml", "--json", "--ranks", "\(ranks)")
    let real = try tool.mpirun(ranks: ranks, "train", "mlp.yaml", "--json")
    #expect(simulated.json["bytes_sent"] as? [Int] == real.json["bytes_sent"] as? [Int])
    #expect(simulated.json["messages_sent"] as? [Int] == real.json["messages_sent"] as? [Int])
    #expect((simulated.json["bytes_sent"] as? [Int])?.allSatisfy { $0 > 0 } == true)
  }

  @Test("how often the model is evaluated or saved changes nothing", arguments: ["mlp", "cnn", "gpt"])
  func observation(_ name: String) throws {
    let tool = try Experiments.folder()
    let digests = try [[], ["training.evaluate=1 step"], ["training.evaluate=3 steps", "checkpoint.every=2 steps"]].map
    {
      (changes: [String]) in
      let result = try tool.run(
        ["train", "\(name).yaml", "--json"] + changes.flatMap { ["--set", $0] })
      result.expectSuccess()
      return result.digest
    }
    #expect(Set(digests).count == 1)
  }

  @Test("a bucket's size changes nothing")
  func buckets() throws {
    let tool = try Experiments.folder()
    let small = try tool.run("simulate", "cnn.yaml", "--json", "--ranks", "3", "--set", "training.bucket=1024")
    let large = try tool.run("simulate", "cnn.yaml", "--json", "--ranks", "3", "--set", "training.bucket=1000000")
    #expect(small.digest == large.digest && small.digest.count == 64)
  }

  @Test("early stopping ends before its time, at the same step on any number of ranks")
  func earlyStop() throws {
    let tool = try Experiments.folder()
    let alone = try tool.run("train", "early.yaml", "--json", "--run", "run")
    alone.expectSuccess()
    let steps = try #require(alone.json["steps"] as? Int)
    #expect(steps < 60 * 8)
    #expect(try tool.text("run/log.txt").contains("stopped early"))
    #expect(tool.exists("run/checkpoints/best"))
    let other = try tool.run("simulate", "early.yaml", "--json", "--ranks", "3")
    #expect(other.json["steps"] as? Int == steps)
  }
}
