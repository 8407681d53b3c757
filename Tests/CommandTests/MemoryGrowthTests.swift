import Foundation
import Testing

@Suite("Memory does not grow with the steps")
struct MemoryGrowthTests {
  /// Resident bytes of rank 0 at each evaluation, by step.
  func memory(_ tool: CommandLineTool) throws -> [(step: Int, bytes: Int)] {
    try tool.text("run/metrics.jsonl").split(separator: "\n").compactMap { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      guard let step = object?["step"] as? Int, let bytes = object?["memory_bytes"] as? Int else { return nil }
      return (step, bytes)
    }
  }

  @Test(
    "10,000 steps with a hundred checkpoints: less than 256 KiB from the thousandth on",
    .enabled(if: ProcessInfo.processInfo.environment["NNDIST_FULL_TESTS"] != nil),
    arguments: ["train", "simulate", "mpirun"])
  func flat(_ runtime: String) throws {
    let tool = try CommandLineTool()
    let configuration = CommandLineTool.repository.appendingPathComponent("configs/digits-mlp.yaml").path
    let flags = [
      configuration, "--run", "run", "--quiet", "--set", "training.epochs=null", "--set", "training.steps=10000",
      "--set",
      "checkpoint.every=100 steps",
    ]
    switch runtime {
    case "train": try tool.run(["train"] + flags).expectSuccess()
    case "simulate": try tool.run(["simulate", "--ranks", "2"] + flags).expectSuccess()
    default: try tool.mpirun(ranks: 2, ["train"] + flags).expectSuccess()
    }
    let points = try memory(tool).filter { $0.step >= 1000 }
    #expect(points.count > 100)
    let growth = try #require(points.last).bytes - (try #require(points.first).bytes)
    #expect(growth < 1 << 18, "\(growth) bytes")
  }
}
