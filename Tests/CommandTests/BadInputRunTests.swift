import Foundation
import Testing

@Suite("Runs that cannot begin, or go wrong on the way")
struct BadInputRunTests {
  private func folder(_ text: String = CommandLineTool.digits) throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(text, to: "a.yaml")
    return tool
  }

  /// A training that no test waits for.
  private static let endless = """
    name: long
    seed: 4
    model: {name: mlp, widths: [8], dropout: 0.1}
    data: {name: digits, validation: 0.1}
    training: {steps: 10000000, batch: 8, shards: 4, evaluate: 1000 steps}
    optimizer: {name: sgd, learning-rate: 0.01, momentum: 0.9}

    """

  /// Whether a run has got as far as its first steps.
  private func isTraining(_ tool: CommandLineTool, _ run: String) -> Bool {
    (try? tool.text("\(run)/log.txt"))?.contains("training mlp") == true
  }

  @Test("a run directory that exists is exit 3, and stays as it was")
  func exists() throws {
    let tool = try folder()
    try tool.run("train", "a.yaml", "--run", "run").expectSuccess()
    let before = try tool.data("run/metrics.jsonl")
    try expectRefusal(tool, ["train", "a.yaml", "--run", "run"], 3, ["run", "--resume"])
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--run", "run").expectFailure(3, "run", "--resume")
    #expect(try tool.data("run/metrics.jsonl") == before)
    try tool.write("mine", to: "notes/today.txt")
    try expectRefusal(tool, ["train", "a.yaml", "--run", "notes"], 3, ["notes", "today.txt"])
    try expectRefusal(tool, ["train", "a.yaml", "--run", "a.yaml"], 3, ["a.yaml", "file"])
    try expectRefusal(tool, ["train", "a.yaml", "--resume"], 2, ["--run"])
  }

  @Test("a run directory that cannot be written is exit 9")
  func unwritable() throws {
    let tool = try folder()
    try expectRefusal(tool, ["train", "a.yaml", "--run", "/proc/nndist/run"], 9, ["/proc/nndist"])
    try expectRefusal(tool, ["train", "a.yaml", "--run", "a.yaml/run"], 9, ["a.yaml"])
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--run", "/proc/nndist/run").expectFailure(9, "/proc/nndist")
  }

  /// Runs `launch/mpirun -n RANKS sh -c SCRIPT`, where `$0` is nndist and `$R` the rank.
  private func ranks(_ tool: CommandLineTool, _ ranks: Int, _ script: String) throws -> CommandResult {
    let launcher = CommandLineTool.repository.appendingPathComponent("launch/mpirun").path
    return try tool.run(
      program: [launcher, "-n", "\(ranks)", "sh", "-c", "R=$OMPI_COMM_WORLD_RANK; \(script)", "nndist"])
  }

  @Test("one rank with another configuration than the rest is exit 7, and named")
  func otherConfiguration() throws {
    let tool = try folder()
    let before = tool.names()
    try ranks(tool, 3, "exec \"$0\" train a.yaml --set seed=$((R / 2 + 1))").expectFailure(
      7, "rank 2 of 3", "configuration")
    // Of another size, too: what they would send one another does not fit.
    try ranks(tool, 2, "exec \"$0\" train a.yaml --set model.widths=[$((16 + R))]").expectFailure(
      7, "rank 1 of 2", "configuration")
    #expect(tool.names() == before)
  }

  @Test("one rank with a configuration that cannot be read ends all, with its reason")
  func oneBroken() throws {
    let tool = try folder()
    let before = tool.names()
    try ranks(tool, 2, "exec \"$0\" train a.yaml --set training.batch=$((64 * (1 - R)))").expectFailure(
      3, "rank 1", "training.batch")
    #expect(tool.names() == before)
  }

  @Test("ranks that see different data are exit 7, and named")
  func otherData() throws {
    let tool = try folder()
    for rank in 0..<3 { try GeneratedData.writeIDX(tool, to: "rank\(rank)/images", seed: rank == 1 ? 8 : 1) }
    let text = CommandLineTool.digits.replacingOccurrences(
      of: "data: digits", with: "data: {format: idx, path: images}")
    try tool.write(text, to: "b.yaml")
    let before = tool.names()
    try ranks(tool, 3, "cd rank$R && exec \"$0\" train ../b.yaml").expectFailure(7, "rank 1 of 3", "data")
    #expect(tool.names() == before)
    // A rank that has none.
    try FileManager.default.removeItem(atPath: tool.path("rank2/images"))
    try ranks(tool, 3, "cd rank$R && exec \"$0\" train ../b.yaml").expectFailure(4, "rank 2", "images")
  }

  @Test("weights that one rank lacks end all, with its reason")
  func oneWithoutWeights() throws {
    let tool = try folder()
    try tool.run("train", "a.yaml", "--run", "rank0/run", "--quiet").expectSuccess()
    try tool.write("", to: "rank1/empty")
    try ranks(tool, 2, "cd rank$R && exec \"$0\" train ../a.yaml --set model.weights=run --run new").expectFailure(
      5, "rank 1: run", "no such file")
    #expect(!tool.exists("rank0/new"))
  }

  @Test("a model that memory cannot hold is exit 9")
  func tooLarge() throws {
    let tool = try folder()
    let size = "model.widths=[1000000, 1000000]"
    for verb in ["train", "simulate", "check"] {
      try expectRefusal(tool, [verb, "a.yaml", "--set", size], 9, ["memory", "1000076000010 parameters"])
    }
    try tool.mpirun(ranks: 2, "train", "a.yaml", "--set", size).expectFailure(9, "memory")
    #expect(tool.names() == ["a.yaml"])
  }

  @Test("streams that nobody reads, that are full or closed, end no training")
  func streams() throws {
    let tool = try folder()
    func shell(_ run: String, _ redirection: String) throws -> CommandResult {
      let program = try CommandLineTool.executable().path
      return try tool.run(
        program: ["bash", "-c", "\"$0\" train a.yaml --json --run \(run) \(redirection)", program])
    }
    try shell("full", "2>/dev/full").expectSuccess()
    try shell("gone", "2> >(exec true)").expectSuccess()
    try shell("closed", ">&- 2>&- <&-").expectSuccess()
    for run in ["full", "gone", "closed"] { #expect(tool.exists("\(run)/result.json")) }
    // What was meant for the terminal is in no file that took its place.
    #expect(try !tool.text("closed/log.txt").contains("mlp,"))
    #expect(try !tool.text("closed/lock").contains("mlp,"))
    // A result that cannot be written is said: the run itself is whole.
    try shell("lost", ">/dev/full").expectFailure(9, "cannot write to standard output", "No space left")
    #expect(tool.exists("lost/result.json"))
  }

  @Test("a learning rate that diverges is exit 8, on all ranks alike")
  func diverging() throws {
    let tool = try folder()
    func expect(_ result: CommandResult, sourceLocation: SourceLocation = #_sourceLocation) {
      result.expectFailure(8, "step", "learning-rate", sourceLocation: sourceLocation)
    }
    try expect(tool.run("train", "a.yaml", "--set", "optimizer.learning-rate=1e30", "--run", "one", "--quiet"))
    try expect(tool.run("train", "a.yaml", "--set", "optimizer.learning-rate=1e30", "--set", "training.clip=1e30"))
    try expect(tool.run("simulate", "a.yaml", "--set", "optimizer.learning-rate=1e30", "--ranks", "3"))
    try expect(tool.mpirun(ranks: 2, "train", "a.yaml", "--set", "optimizer.learning-rate=1e30"))
    #expect(try tool.text("one/log.txt").contains("exit code 8"))
    #expect(!tool.exists("one/result.json"))
    #expect(tool.names().allSatisfy { !$0.hasSuffix(".partial") })
  }

  @Test("numbers in the data that are none are exit 8")
  func notANumber() throws {
    let tool = try folder()
    var inputs = (0..<40 * 3).map { Float($0 % 11) }
    inputs[77] = .nan
    func npy(_ type: String, _ shape: String, _ bytes: Data) -> Data {
      var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }"
      header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
      return Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0]) + Data(header.utf8) + bytes
    }
    try tool.write(npy("<f4", "(40, 3)", inputs.withUnsafeBytes { Data($0) }), to: "arrays/x.npy")
    let classes = (0..<40).map { Int32($0 % 4) }
    try tool.write(npy("<i4", "(40,)", classes.withUnsafeBytes { Data($0) }), to: "arrays/y.npy")
    try tool.run(
      "train", "a.yaml", "--quiet", "--set", "data={format: npy, path: arrays}", "--set",
      "training={epochs: 2, batch: 8}"
    ).expectFailure(8, "step")
  }

  @Test("SIGTERM and SIGINT save the state and exit 10, and --resume comes to the undisturbed result")
  func stop() throws {
    let tool = try folder(Self.endless)
    for signal in [SIGTERM, SIGINT] {
      let name = "run\(signal)"
      let command = try tool.start("train", "a.yaml", "--run", name, "--quiet")
      #expect(command.wait { isTraining(tool, name) })
      command.signal(signal)
      try expectResumable(tool, name, command.result()) { end in
        try tool.run("train", "a.yaml", "--run", name, "--resume", "--json", "--quiet", "--set", end)
      }
    }
  }

  @Test("a signal to launch/mpirun saves the state and exits 10, and other ranks come to the same result")
  func stopRanks() throws {
    let tool = try folder(Self.endless)
    let command = try tool.startMPI(ranks: 2, "train", "a.yaml", "--run", "run", "--quiet")
    #expect(command.wait { isTraining(tool, "run") })
    command.signal(SIGTERM)
    try expectResumable(tool, "run", command.result()) { end in
      try tool.run("simulate", "a.yaml", "--run", "run", "--resume", "--json", "--quiet", "--ranks", "3", "--set", end)
    }
  }

  /// A stopped run says where it stopped; a hundred steps later it is where a run that never stopped is.
  private func expectResumable(
    _ tool: CommandLineTool, _ name: String, _ stopped: CommandResult, resume: (String) throws -> CommandResult
  ) throws {
    stopped.expectFailure(10, "signal", "--resume")
    #expect(!tool.exists("\(name)/result.json"))
    let words = stopped.errors.components(separatedBy: "after step ")
    let step = try #require(words.count == 2 ? Int(words[1].prefix { $0.isNumber }) : nil)
    let end = "training.steps=\(step + 100)"
    let resumed = try resume(end)
    resumed.expectSuccess()
    #expect(resumed.json["steps"] as? Int == step + 100)
    let whole = try tool.run("train", "a.yaml", "--json", "--quiet", "--set", end)
    whole.expectSuccess()
    #expect(resumed.digest == whole.digest)
  }

  @Test("a rank that is killed ends the others")
  func killed() throws {
    let tool = try folder(Self.endless)
    let launcher = CommandLineTool.repository.appendingPathComponent("launch/mpirun").path
    let command = try tool.start(
      program: [
        launcher, "-n", "2", "sh", "-c",
        "echo $$ > pid$OMPI_COMM_WORLD_RANK; exec \"$0\" train a.yaml --run run --quiet", "nndist",
      ])
    #expect(command.wait { isTraining(tool, "run") })
    let identifier = try #require(
      pid_t(try tool.text("pid1").trimmingCharacters(in: .whitespacesAndNewlines)))
    kill(identifier, SIGKILL)
    let result = command.result()
    // nndist's own code when rank 0 notices first, else the launcher's.
    #expect(result.status == 6 || result.status == 137, "exit \(result.status): \(result.errors)")
    // And not because the test's patience ended.
    #expect(
      result.errors.contains("nndist: ") || result.errors.contains("the job ended with status 137"), "\(result.errors)")
    for name in ["pid0", "pid1"] {
      let rank = try #require(pid_t(try tool.text(name).trimmingCharacters(in: .whitespacesAndNewlines)))
      #expect(!RunningProcess.isAlive(rank), "\(name) lives on")
    }
  }
}
