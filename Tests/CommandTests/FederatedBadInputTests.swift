import Foundation
import Testing

@Suite("Federations that cannot be")
struct FederatedBadInputTests {
  static let cases = [
    BadInputConfigurationTests.Case("federated.strategy=fedavgg", says: ["fedavgg", "`fedavg`"]),
    .init("federated.strategi=fedavg", says: ["`strategi`", "`strategy`"]),
    .init("federated.strategy={name: fedprox, mu: -1}", says: ["federated.strategy.mu", "-1"]),
    .init("federated.strategy={name: fedprox, nu: 1}", says: ["`nu`", "`mu`"]),
    .init("federated.rounds=0", says: ["federated.rounds is 0", "from 1"]),
    .init("federated.rounds=null", says: ["federated.rounds"]),
    .init("federated.clients=0", says: ["federated.clients is 0", "from 1"]),
    .init("federated.clients=null", says: ["federated.clients"]),
    .init("federated.cohort=0", says: ["federated.cohort", "0"]),
    .init("federated.cohort=10", says: ["federated.cohort is 10", "9 clients", "lower it"]),
    .init("federated.epochs=0", says: ["federated.epochs", "0"]),
    .init("federated.least-epochs=3", says: ["federated.least-epochs", "epochs"]),
    .init("federated.steps=0", says: ["federated.steps", "0"]),
    .init("federated.batch=0", says: ["federated.batch", "0", "at least 1", "all"]),
    .init("federated.batch=few", says: ["federated.batch", "few", "whole number"]),
    .init("federated.evaluate=0", says: ["federated.evaluate", "0"]),
    .init("federated.digest=0 rounds", says: ["federated.digest", "0"]),
    .init("federated.digest=2 epochs", says: ["federated.digest", "2 epochs", "round"]),
    .init("federated.ledger=perhaps", says: ["federated.ledger", "perhaps"]),
    .init("federated.stragglers=1.5", says: ["federated.stragglers", "1.5"]),
    .init("federated.weighting=size", says: ["federated.weighting", "size", "samples"]),
    .init("federated.state-memory=0", says: ["federated.state-memory", "0"]),
    .init("federated.partition={name: dirichlet, alpha: 0}", says: ["alpha", "0"]),
    .init("federated.partition={name: dirichlet, alpha: -0.5}", says: ["alpha", "-0.5"]),
    .init("federated.partition=dirichelt", says: ["dirichelt", "`dirichlet`"]),
    .init(
      "federated.partition={name: dirichlet, alpha: 0.5, minimum: 30}",
      says: ["federated.partition", "30 samples", "draws", "fewest"]),
    .init("federated.partition=iid", "federated.clients=100000", says: ["100000", "clients", "samples", "resample"]),
    .init("federated.partition=natural", "federated.clients=null", says: ["natural", "mnist-writers"]),
    .init("strategy=allreduce", says: ["strategy has no meaning beside federated", "federated.strategy"]),
    .init("training.epochs=3", says: ["`epochs`", "training"]),
    .init("checkpoint.every=2 epochs", says: ["checkpoint.every", "2 epochs", "round"]),
    .init("compute.threads=0", says: ["compute.threads", "0"]),
    .init("faults=[{nan: {step: 1}}]", says: ["faults.0.nan", "a step is a round"]),
    .init("faults=[{kill: {step: 1, at: gradients}}]", says: ["faults.0.kill", "gradients", "at its checkpoint"]),
    .init("faults=[{kill: {step: 5}}]", says: ["faults.0.kill.step is 5", "ends after step 4"]),
  ]

  @Test("are exit 3, in one line, with nothing left behind", arguments: cases)
  func configuration(_ example: BadInputConfigurationTests.Case) throws {
    let tool = try FederatedTrial.folder()
    let changes = example.changes.flatMap { ["--set", $0] }
    try expectRefusal(tool, ["simulate", "federation.yaml", "--quiet"] + changes, 3, example.words)
    try expectRefusal(tool, ["train", "federation.yaml", "--quiet"] + changes, 3, example.words)
  }

  @Test("a run of which no update could be taken has diverged: exit 8")
  func diverged() throws {
    let tool = try FederatedTrial.folder()
    try tool.run("simulate", "federation.yaml", "--quiet", "--set", "optimizer.learning-rate=1e30")
      .expectFailure(8, "none of", "updates could be taken", "optimizer.learning-rate")
  }

  @Test("`check` says the same of them")
  func check() throws {
    let tool = try FederatedTrial.folder()
    try expectRefusal(
      tool, ["check", "federation.yaml", "--set", "federated.cohort=10"], 3, ["federated.cohort is 10", "9 clients"])
    try expectRefusal(tool, ["check", "federation.yaml", "--set", "federated.rounds=0"], 3, ["federated.rounds"])
  }

  @Test("a rank with another configuration than the rest is exit 7, and named; one that cannot read it ends all")
  func otherConfiguration() throws {
    let tool = try FederatedTrial.folder()
    let before = tool.names()
    let launcher = CommandLineTool.repository.appendingPathComponent("launch/mpirun").path
    func ranks(_ count: Int, _ script: String) throws -> CommandResult {
      try tool.run(program: [launcher, "-n", "\(count)", "sh", "-c", "R=$OMPI_COMM_WORLD_RANK; \(script)", "nndist"])
    }
    try ranks(3, "exec \"$0\" train federation.yaml --set seed=$((R / 2 + 1))").expectFailure(
      7, "rank 2 of 3", "configuration")
    try ranks(2, "exec \"$0\" train federation.yaml --set federated.rounds=$((1 - R))").expectFailure(
      3, "rank 1", "federated.rounds")
    #expect(tool.names() == before)
  }

  @Test("clients without samples take no part, and are counted, where `minimum: 0` allows them")
  func empty() throws {
    let tool = try FederatedTrial.folder()
    let partition = "federated.partition={name: dirichlet, alpha: 0.02, minimum: 0}"
    let result = try tool.run(
      "simulate", "federation.yaml", "--json", "--run", "run", "--set", partition, "--set", "federated.cohort=9",
      "--set",
      "federated.clients=60", "--set", "federated.cohort=60")
    result.expectSuccess()
    let ledger = try tool.text("run/clients.jsonl").split(separator: "\n")
    let first = try #require(JSONSerialization.jsonObject(with: Data(ledger[0].utf8)) as? [String: Any])
    let status = try #require(first["status"] as? [String])
    let samples = try #require(first["samples"] as? [Int])
    #expect(status.contains("empty") && status.contains("accepted"))
    #expect(zip(status, samples).allSatisfy { ($0 == "empty") == ($1 == 0) })
    let updates = try #require(result.json["updates"] as? Int)
    #expect(updates == 4 * status.filter { $0 == "accepted" }.count)
    let upload = try #require(result.json["bytes_up"] as? Int)
    #expect(upload == updates * 4 * (try #require(result.json["parameters"] as? Int)))
  }

  @Test("updates that are no numbers are rejected and counted, and the round goes on")
  func notANumber() throws {
    let tool = try FederatedTrial.folder()
    for ranks in ["1", "2"] {
      let result = try tool.run(
        "simulate", "federation.yaml", "--json", "--quiet", "--ranks", ranks, "--run", "run\(ranks)", "--set",
        "federated.attack={name: not-finite, share: 0.4}")
      result.expectSuccess()
      let rejected = try #require(result.json["rejected"] as? Int)
      let updates = try #require(result.json["updates"] as? Int)
      #expect(rejected > 0 && updates > 0 && rejected + updates == 20)
      #expect(try tool.text("run\(ranks)/clients.jsonl").contains("rejected"))
    }
    #expect(try tool.text("run1/clients.jsonl") == tool.text("run2/clients.jsonl"))
  }

  @Test("a model that memory cannot hold, or its copies for all threads, is exit 9 before it is taken")
  func tooLarge() throws {
    let tool = try FederatedTrial.folder()
    try expectRefusal(
      tool, ["simulate", "federation.yaml", "--set", "model.widths=[1000000, 1000000]"], 9, ["memory", "parameters"])
    // 64 MB a model, and three times that for each of a thousand threads.
    try expectRefusal(
      tool,
      [
        "simulate", "federation.yaml", "--quiet", "--set", "model.widths=[4000, 4000]", "--set", "compute.threads=1024",
      ],
      9, ["the federation of mlp needs", "GiB of memory on host", "replicas", "compute.threads"])
    try tool.mpirun(
      ranks: 2, "train", "federation.yaml", "--set", "model.widths=[4000, 4000]", "--set", "compute.threads=1024"
    ).expectFailure(9, "(2 ranks: ", "start fewer ranks here")
    #expect(!tool.exists("runs"))
  }

  @Test("a run directory that exists is exit 3; that of another kind of run is exit 5")
  func directories() throws {
    let tool = try FederatedTrial.folder()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    try tool.run("simulate", "federation.yaml", "--run", "run", "--quiet").expectSuccess()
    try expectRefusal(tool, ["simulate", "federation.yaml", "--run", "run"], 3, ["run", "--resume"])
    try tool.run(
      "train", "digits.yaml", "--run", "other", "--quiet", "--set", "optimizer={name: sgd, learning-rate: 0.1}"
    )
    .expectSuccess()
    for run in ["run", "other"] { try FileManager.default.removeItem(atPath: tool.path("\(run)/result.json")) }
    let federation = ["simulate", "federation.yaml", "--run", "other", "--resume", "--quiet"]
    try tool.run(federation + ["--set", "model={name: mlp, widths: [16]}"]).expectFailure(
      5, "no checkpoint of a federation")
    try tool.run(
      "train", "digits.yaml", "--run", "run", "--resume", "--quiet", "--set",
      "model={name: mlp, widths: [12], dropout: 0.2}", "--set",
      "optimizer={name: sgd, learning-rate: 0.1}"
    ).expectFailure(5, "one of a federation")
    try tool.run("simulate", "federation.yaml", "--run", "run", "--resume", "--quiet", "--set", "model.widths=[13]")
      .expectFailure(5, "step-4")
  }
}
