import Foundation
import Testing

@Suite("Whatever happens to a checkpoint, a run goes on from one that is whole")
struct CheckpointDamageTests {
  /// A run of two ranks with a checkpoint every other step, stopped short of its end.
  func folder() throws -> (tool: CommandLineTool, digest: String) {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits.replacingOccurrences(of: "{name: sgd", with: "{name: adam"), to: "a.yaml")
    let whole = try tool.run(
      "simulate", "a.yaml", "--run", "run", "--ranks", "2", "--json", "--set", "checkpoint.every=2 steps",
      "--set", "optimizer={name: adam, learning-rate: 1e-2}")
    whole.expectSuccess()
    for name in ["result.json", "checkpoints/step-12"] {
      try FileManager.default.removeItem(atPath: tool.path("run/\(name)"))
    }
    return (tool, whole.digest)
  }

  func resume(_ tool: CommandLineTool, ranks: Int) throws -> CommandResult {
    try tool.run(
      "simulate", "a.yaml", "--run", "run", "--resume", "--ranks", "\(ranks)", "--json", "--set",
      "optimizer={name: adam, learning-rate: 1e-2}")
  }

  @Test("a file of any rank cut short or with a flipped bit: said, set aside, and the one before is taken")
  func damaged() throws {
    let (tool, digest) = try folder()
    let backup = tool.folder.appendingPathComponent("backup")
    try FileManager.default.copyItem(at: tool.folder.appendingPathComponent("run"), to: backup)
    let files = ["manifest.json", "model.safetensors", "state-0.safetensors", "state-1.safetensors"]
    for (index, file) in files.enumerated() {
      try FileManager.default.removeItem(atPath: tool.path("run"))
      try FileManager.default.copyItem(at: backup, to: tool.folder.appendingPathComponent("run"))
      var bytes = try tool.data("run/checkpoints/step-10/\(file)")
      if index % 2 == 0 { bytes.removeLast(bytes.count / 3) } else { bytes[bytes.count / 2] ^= 4 }
      try tool.write(bytes, to: "run/checkpoints/step-10/\(file)")
      let result = try resume(tool, ranks: 1 + index % 3)
      result.expectSuccess()
      #expect(result.digest == digest, "\(file)")
      #expect(result.errors.contains("step-10") && result.errors.contains("is damaged"), "\(file)")
      #expect(result.errors.contains("set aside as step-10.damaged"))
      #expect(try tool.text("run/log.txt").contains("steps 9 to 12"))
      #expect(tool.exists("run/checkpoints/step-10.damaged"))
    }
  }

  @Test("all damaged: training starts from the beginning, and says so")
  func allDamaged() throws {
    let (tool, digest) = try folder()
    for step in [8, 10] {
      try tool.write(Data(), to: "run/checkpoints/step-\(step)/model.safetensors")
    }
    for name in tool.names(below: "run/checkpoints") where name.hasPrefix("step-6/") || name.hasPrefix("step-4/") {
      try tool.write(Data(), to: "run/checkpoints/\(name)")
    }
    let result = try resume(tool, ranks: 2)
    result.expectSuccess()
    #expect(result.digest == digest)
    #expect(result.errors.contains("training starts from the beginning"))
  }

  @Test("what ranks of an earlier job still write is in nobody's way")
  func leftovers() throws {
    let (tool, digest) = try folder()
    for token in ["0", "beef"] {
      try tool.write("half", to: "run/checkpoints/step-12.\(token).partial/state-1.safetensors")
    }
    let result = try resume(tool, ranks: 2)
    result.expectSuccess()
    #expect(result.digest == digest)
    #expect(!tool.names(below: "run/checkpoints").contains { $0.contains("partial") })
  }

  @Test("ranks that do not see the run directory: rank 0 writes and reads for them")
  func blindRanks() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    let nndist = try CommandLineTool.executable().path
    let probe = try tool.run(program: ["unshare", "--mount", "true"])
    guard probe.status == 0 else { return }
    try FileManager.default.createDirectory(atPath: tool.path("runs"), withIntermediateDirectories: true)
    let flags = [
      "--run", "runs/a", "--json", "--set", "checkpoint.every=4 steps", "--set", "strategy={name: top-k, ratio: 0.1}",
    ]
    let train = ([nndist, "train", "a.yaml"] + flags).map { "'\($0)'" }.joined(separator: " ")
    func run(_ more: String) throws -> CommandResult {
      try tool.run(program: [
        CommandLineTool.repository.appendingPathComponent("launch/mpirun").path, "-n", "1", "sh", "-c",
        "exec \(train) \(more)",
        ":", "-n", "1", "unshare", "--mount", "sh", "-c", "mount -t tmpfs none runs && exec \(train) \(more)",
      ])
    }
    let whole = try run("")
    whole.expectSuccess()
    #expect(try tool.text("runs/a/log.txt").contains("ranks 1 do not see the run directory"))
    #expect(!tool.exists("runs/a/checkpoints/step-12/state-1.safetensors"))
    let alone = try tool.run(["train", "a.yaml"] + flags.filter { !$0.hasPrefix("runs/") && $0 != "--run" })
    #expect(whole.digest == alone.digest)
    for name in ["result.json", "checkpoints/step-12"] {
      try FileManager.default.removeItem(atPath: tool.path("runs/a/\(name)"))
    }
    let resumed = try run("--resume")
    resumed.expectSuccess()
    #expect(resumed.digest == alone.digest)
    #expect(try tool.text("runs/a/log.txt").contains("steps 9 to 12"))
  }
}
