import Foundation
import Testing

@Suite("Every start of a run leaves a receipt")
struct ReceiptTests {
  private func receipts(_ tool: CommandLineTool, _ run: String) throws -> [[String: Any]] {
    try tool.text("\(run)/receipt.jsonl").split(separator: "\n").map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  /// What the system's own program says.
  private func checksum(_ tool: CommandLineTool, _ path: String) throws -> String {
    String(try tool.run(program: ["sha256sum", path]).output.prefix(64))
  }

  @Test("with hashes of configuration, data and binary that others come to")
  func fields() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try tool.run("train", "a.yaml", "--run", "one", "--quiet").expectSuccess()
    try tool.run("simulate", "a.yaml", "--run", "three", "--ranks", "3", "--quiet", "--set", "seed=8").expectSuccess()
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--run", "two", "--quiet").expectSuccess()
    let binary = try checksum(tool, try CommandLineTool.executable().path)
    var all: [[String: Any]] = []
    for (run, ranks, transports) in [
      ("one", 1, ["none"]), ("two", 2, ["window", "messages"]), ("three", 3, ["threads"]),
    ] {
      let lines = try receipts(tool, run)
      let receipt = try #require(lines.first)
      #expect(lines.count == 1 && receipt["attempt"] as? Int == 1 && receipt["first_step"] as? Int == 0)
      #expect(receipt["ranks"] as? Int == ranks && receipt["threads"] as? Int == 1 && receipt["shards"] as? Int == 4)
      #expect(transports.contains(receipt["transport"] as? String ?? ""))
      #expect((receipt["hosts"] as? [String])?.count == 1)
      #expect(receipt["binary"] as? String == binary)
      #expect(receipt["configuration"] as? String == (try checksum(tool, "\(run)/config.yaml")))
      let time = try #require(receipt["time"] as? String)
      #expect(time.count == 20 && time.hasSuffix("Z"))
      for key in ["version", "data", "instructions", "cpu", "cpu_instructions", "onednn", "onednn_instructions"] {
        #expect((receipt[key] as? String)?.isEmpty == false, "\(key)")
      }
      #expect((receipt["mpi"] is NSNull) == (run != "two") && receipt["openblas"] is NSNull)
      all.append(receipt)
    }
    #expect(Set(all.compactMap { $0["data"] as? String }).count == 1)
    #expect(all[0]["configuration"] as? String == all[1]["configuration"] as? String)
    #expect(all[0]["configuration"] as? String != all[2]["configuration"] as? String)
    try tool.run(
      "train", "a.yaml", "--run", "blas", "--quiet", "--set", "compute.backend=openblas", "--set", "data.subset=500"
    ).expectSuccess()
    let other = try #require(try receipts(tool, "blas").first)
    #expect((other["openblas"] as? String)?.contains("OpenBLAS") == true)
    #expect(other["data"] as? String != all[0]["data"] as? String)
  }

  @Test("one line more with each, which `inspect` shows; a launcher may count")
  func starts() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try tool.run("train", "a.yaml", "--run", "run", "--quiet", "--set", "training.steps=5").expectSuccess()
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    // Half a line, as a full disk leaves it.
    try tool.write(tool.text("run/receipt.jsonl") + "{\"time\": \"20", to: "run/receipt.jsonl")
    try tool.run("simulate", "a.yaml", "--run", "run", "--resume", "--ranks", "2", "--quiet").expectSuccess()
    // A finished run is not started again.
    try tool.run("train", "a.yaml", "--run", "run", "--resume", "--quiet").expectSuccess()
    var lines = try receipts(tool, "run")
    #expect(lines.compactMap { $0["attempt"] as? Int } == [1, 2])
    #expect(lines.compactMap { $0["first_step"] as? Int } == [0, 5])
    #expect(lines.compactMap { $0["verb"] as? String } == ["train", "simulate"])
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    try tool.run(
      "train", "a.yaml", "--run", "run", "--resume", "--quiet", "--set", "training.steps=15",
      environment: ["NNDIST_ATTEMPT": "7"]
    ).expectSuccess()
    lines = try receipts(tool, "run")
    #expect(lines.compactMap { $0["attempt"] as? Int } == [1, 2, 7])
    let shown = try tool.run("inspect", "run", "--json")
    #expect((shown.json["receipts"] as? [[String: Any]])?.count == 3)
    let text = try tool.run("inspect", "run").outputLines
    for line in lines {
      let binary = try #require(line["binary"] as? String).prefix(12)
      #expect(text.contains { $0.contains(line["time"] as? String ?? "?") && $0.contains(binary) })
    }
  }

  @Test("a rank that runs another binary is exit 7, and named")
  func otherBinary() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    let launcher = CommandLineTool.repository.appendingPathComponent("launch/mpirun").path
    let script = """
      cp "$0" own$OMPI_COMM_WORLD_RANK
      if [ $OMPI_COMM_WORLD_RANK = 1 ]; then printf x >> own1; fi
      exec ./own$OMPI_COMM_WORLD_RANK train a.yaml --run run
      """
    try tool.run(program: [launcher, "-n", "3", "sh", "-c", script, "nndist"]).expectFailure(
      7, "rank 1 of 3 has another nndist")
    #expect(!tool.exists("run"))
  }

  @Test("ranks that compute with other instructions are said")
  func otherInstructions() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    let launcher = CommandLineTool.repository.appendingPathComponent("launch/mpirun").path
    let script = """
      if [ $OMPI_COMM_WORLD_RANK = 1 ]; then export DNNL_MAX_CPU_ISA=SSE41; fi
      exec "$0" train a.yaml --run run --quiet
      """
    let mixed = try tool.run(program: [launcher, "-n", "2", "sh", "-c", script, "nndist"])
    mixed.expectSuccess()
    #expect(mixed.errors.contains("ranks compute with different instructions") && mixed.errors.contains("SSE4.1"))
    #expect(try tool.text("run/log.txt").contains("different instructions"))
    #expect(try #require(try receipts(tool, "run").first)["onednn_instructions"] as? String != "SSE4.1")
  }
}
