import Foundation
import Testing

@Suite("`nndist data partition` shows what federated clients hold")
struct DataPartitionTests {
  private func tool(_ federated: String) throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write("seed: 3\ndata: digits\nfederated: \(federated)\nmodel: mlp\n", to: "a.yaml")
    return tool
  }

  static let kinds = ["iid", "dirichlet", "shards", "classes", "{name: quantity, alpha: 2}", "resample"]

  @Test("a line a client, as wide as a terminal, without colours where it is none", arguments: kinds)
  func page(_ kind: String) throws {
    let result = try tool("{clients: 12, partition: \(kind)}").run("data", "partition", "a.yaml")
    result.expectSuccess()
    let lines = result.outputLines
    #expect(!result.output.contains("\u{1B}"))
    #expect(lines.allSatisfy { $0.count <= 100 })
    let clients = lines.filter { $0.split(separator: " ").first.flatMap { Int($0) } != nil }
    #expect(clients.count == 12)
    // A client, its samples, its bar and ten classes.
    #expect(clients.allSatisfy { $0.split(separator: " ").count == 13 }, "\(result.output)")
    #expect(lines.contains { $0.hasPrefix("   all") })
    #expect(lines.contains { $0.hasPrefix("a client has ") && $0.contains("median") })
    #expect(lines.contains { $0.contains("samples of a class") })
  }

  @Test("as JSON the counts, which add up to the training samples", arguments: kinds.dropLast())
  func json(_ kind: String) throws {
    let json = try tool("{clients: 12, partition: \(kind)}").run("data", "partition", "a.yaml", "--json").json
    #expect(json["verb"] as? String == "data")
    #expect(json["action"] as? String == "partition")
    let clients = try #require(json["listed"] as? [[String: Any]])
    #expect(clients.count == 12)
    let sizes = clients.compactMap { $0["samples"] as? Int }
    let labels = clients.compactMap { $0["labels"] as? [Int] }
    #expect(labels.map { $0.reduce(0, +) } == sizes)
    #expect(sizes.reduce(0, +) == 1438)
    #expect(json["minimum"] as? Int == sizes.min())
    #expect(json["maximum"] as? Int == sizes.max())
    #expect((json["fingerprint"] as? String)?.count == 64)
  }

  @Test("many clients: the first thirty and a summary")
  func many() throws {
    let tool = try tool("{clients: 1000000, partition: resample}")
    let lines = try tool.run("data", "partition", "a.yaml").outputLines
    #expect(lines.count < 40)
    #expect(lines.contains { $0.contains("1,000,000 clients") })
    #expect(lines.contains("a client has 60 to 60 samples, median 60"))
    let json = try tool.run("data", "partition", "a.yaml", "--json").json
    #expect(json["clients"] as? Int == 1_000_000)
    #expect((json["listed"] as? [Any])?.count == 1000)
  }

  @Test("the seed and --set decide, and nothing else of the configuration does")
  func keys() throws {
    let tool = try tool("{clients: 12, partition: dirichlet, strategy: fedavg, rounds: 50}")
    func fingerprint(_ changes: String...) throws -> String? {
      let result = try tool.run(["data", "partition", "a.yaml", "--json"] + changes.flatMap { ["--set", $0] })
      result.expectSuccess()
      return result.json["fingerprint"] as? String
    }
    let first = try fingerprint()
    #expect(try fingerprint() == first)
    #expect(try fingerprint("training.batch=7", "federated.rounds=3") == first)
    #expect(try fingerprint("seed=4") != first)
    #expect(try fingerprint("federated.partition={name: dirichlet, alpha: 0.4}") != first)
  }

  @Test(
    "what cannot be is exit 3, in one line that says where",
    arguments: [
      ("{clients: 1439}", ["a.yaml:3", "1439 clients", "1438 training samples"]),
      ("{clients: 0}", ["federated.clients is 0"]),
      ("{partition: iid}", ["federated.clients is missing"]),
      ("{clients: 4, partition: {name: dirichlet, alpha: 0}}", ["federated.partition.alpha is 0"]),
      ("{clients: 4, partition: {name: dirichlet, alpha: .nan}}", ["federated.partition.alpha", "finite"]),
      ("{clients: 4, partition: {name: classes, classes-per-client: 11}}", ["11 classes", "the 10 there are"]),
      ("{clients: 4, partition: natural}", ["`natural` needs data that say who made each sample"]),
      ("{clients: 4, partition: dirichlett}", ["did you mean `dirichlet`?"]),
      ("{clients: 50, partition: {name: dirichlet, alpha: 0.01}}", ["in any of 101 draws", "fewest 0", "most "]),
      ("null", ["federated is missing"]),
    ])
  func refused(_ federated: String, _ words: [String]) throws {
    try expectRefusal(try tool(federated), ["data", "partition", "a.yaml"], 3, words)
  }

  @Test("flags belong to their action")
  func flags() throws {
    let tool = try tool("{clients: 4}")
    try tool.run("data", "partition").expectFailure(2, "needs a configuration")
    try tool.run("data", "partition", "a.yaml", "--into", "x").expectFailure(2, "belongs to `nndist data fetch`")
    try tool.run("data", "list", "--set", "seed=1").expectFailure(2, "--set belongs to `nndist data partition`")
    try tool.run("data", "prtition", "a.yaml").expectFailure(2, "did you mean `partition`?")
  }
}
