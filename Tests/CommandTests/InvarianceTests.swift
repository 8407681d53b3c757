import Foundation
import Optimizers
import Testing

@Suite("The same bits, whoever computes them")
struct InvarianceTests {
  @Test(
    "on threads, simulated ranks and ranks under mpirun, over shared memory or TCP, from the start or resumed",
    arguments: zip(Trial.all, Trial.all.indices))
  func digest(_ trial: Trial, _ number: Int) throws {
    let tool = try Experiments.folder()
    let run = try TrialRun(trial, tool)
    let ways = Way.some(number)
    let sent = try ways.map { try run.expectSame($0, "\($0)").json["bytes_sent"] as? [Int] }
    // A transport sends the same payload, however many threads compute.
    #expect(sent[1] == sent[2] && sent[1]?.reduce(0, +) ?? 0 > 0)
    try run.expectSame(ways[number % 4 == 0 ? 1 : 2], rewinding: "alone")
    try run.expectSame(ways[0], rewinding: "\(ways[2])")
  }

  @Test("the trials have every model of configs/, every optimizer and every schedule")
  func complete() throws {
    let folder = CommandLineTool.repository.appendingPathComponent("configs").path
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
    // A graph is one sample, which one rank computes.
    #expect(Set(Trial.configurations.map { "\($0.name).yaml" } + ["cora-gcn.yaml"]) == Set(names))
    let text = Trial.optimizers.flatMap(\.changes).joined(separator: " ")
    for rule in OptimizerCatalog.rules { #expect(text.contains("{name: \(rule.name),")) }
    let named = OptimizerCatalog.schedules.map { $0.name }.filter { $0 != "constant" }
    for schedule in named { #expect(["schedule: \(schedule)", "{name: \(schedule)"].contains(where: text.contains)) }
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
