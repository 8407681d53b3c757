import Foundation
import Testing
import Training

@Suite("Memory")
struct MemoryTests {
  /// A training large enough for its memory to stand out from that of the program.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let changes: [String]
    var ranks = 1
    var testDescription: String { "\(name) on \(ranks): \(changes.joined(separator: ", "))" }
  }

  static let wide = "model={name: mlp, widths: [1024, 1024]}"
  static let deep = "model={name: gpt, width: 128, heads: 4, depth: 4, context: 12}"
  static let cases = [
    Case(name: "mlp", changes: [wide, "compute.threads=2"]),
    Case(name: "mlp", changes: [wide, "strategy=zero"], ranks: 4),
    Case(name: "mlp", changes: [wide, "strategy={name: diloco, period: 2}"], ranks: 2),
    Case(name: "photographs", changes: ["model.width=16", "training.batch=60"], ranks: 3),
    Case(name: "gpt", changes: [deep, "strategy=top-k"], ranks: 2),
    Case(name: "gpt", changes: [deep, "training.recompute=true", "training.shards=2"], ranks: 2),
  ]

  @Test("is estimated to within a half of what a run takes beside the program itself", arguments: cases)
  func honest(_ example: Case) throws {
    let tool = try Experiments.folder()
    let file = "\(example.name).yaml"
    func flags(_ changes: [String]) -> [String] { changes.flatMap { ["--set", $0] } }
    let base = try tool.run("train", "digits.yaml", "--json", "--set", "training.steps=1")
    base.expectSuccess()
    let changes = flags(example.changes)
    let check = try tool.run(["check", file, "--no-gradients", "--json", "--ranks", "\(example.ranks)"] + changes)
    check.expectSuccess()
    let run = try tool.run(["simulate", file, "--json", "--ranks", "\(example.ranks)"] + changes)
    run.expectSuccess()
    let estimate = try #require((check.json["memory_bytes_of_all_ranks"] as? [String: Int])?["all"])
    let peak = try #require(run.json["peak_memory_bytes"] as? Int)
    let measured = peak - (try #require(base.json["peak_memory_bytes"] as? Int))
    let ratio = Double(estimate) / Double(measured)
    #expect(ratio > 0.7 && ratio < 1.5, "\(estimate >> 20) MiB estimated, \(measured >> 20) measured")
  }

  @Test("that is not there is exit 9 with the numbers, before any of it is taken")
  func refusal() throws {
    let tool = try Experiments.folder()
    // One model fits into what is free, its gradients and what Adam remembers of it do not.
    let width = Int((0.4 * Double(MachineMemory.available) / 4).squareRoot())
    let program = try CommandLineTool.executable().path
    for words in ["train mlp.yaml", "simulate mlp.yaml --ranks 2"] {
      let limit = "ulimit -v \(MachineMemory.available >> 11)"
      let script = "\(limit); exec \"$0\" \(words) --set model.widths=[\(width),\(width)]"
      try tool.run(program: ["bash", "-c", script, program]).expectFailure(
        9, "training mlp needs", "GiB of memory on host", "weights", "optimizer", "are free", "make the model smaller")
    }
    try tool.mpirun(ranks: 2, "train", "mlp.yaml", "--set", "model.widths=[\(width),\(width)]").expectFailure(
      9, "(2 ranks: weights", "start fewer ranks here")
    #expect(!tool.exists("runs"))
  }
}
