import Foundation
import Testing

@Suite("The same bits: every training in every way", .enabled(if: Way.isFull))
struct InvarianceProductTests {
  @Test("on ranks that are threads", arguments: Trial.all)
  func threads(_ trial: Trial) throws { try expectSame(trial, .threads) }

  @Test("on ranks that share memory", arguments: Trial.all)
  func window(_ trial: Trial) throws { try expectSame(trial, .window) }

  @Test("on ranks that send messages over TCP", arguments: Trial.all)
  func tcp(_ trial: Trial) throws { try expectSame(trial, .tcp) }

  /// Two to eight ranks of one thread and of two, and in their middle on other ranks.
  private func expectSame(_ trial: Trial, _ transport: Way.Transport) throws {
    let tool = try Experiments.folder()
    let run = try TrialRun(trial, tool)
    let ways = Way.all.filter { $0.transport == transport && $0.ranks <= trial.shards }
    for way in ways {
      try run.expectSame(way, "\(way)")
      if way != ways.last { try FileManager.default.removeItem(atPath: tool.path("\(way)")) }
    }
    try run.expectSame(ways[2], rewinding: "\(ways[ways.count - 1])")
  }

  @Test("on published data", .enabled(if: realData != nil), arguments: Trial.published)
  func published(_ trial: Trial) throws {
    let tool = try CommandLineTool()
    let environment: [String: String?] = ["NNDIST_DATA": realData]
    let words = trial.words + ["--json", "--set", "data.subset=500"]
    let alone = try tool.run(["train"] + words, environment: environment, timeout: 600)
    alone.expectSuccess()
    let others = [
      try tool.run(["simulate"] + words + ["--ranks", "5"], environment: environment, timeout: 600),
      try tool.mpirun(ranks: 3, ["train"] + words, environment: environment, timeout: 600),
    ]
    for other in others {
      other.expectSuccess()
      #expect(other.digest == alone.digest && other.digest.count == 64, "\(other.command)")
      #expect(other.json["loss"] as? Double == alone.json["loss"] as? Double)
    }
  }
}
