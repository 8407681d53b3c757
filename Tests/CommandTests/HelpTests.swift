import Foundation
import Testing

@Suite("Help")
struct HelpTests {
  static let topics = [
    "config", "models", "layers", "data-sets", "federated", "partitions", "optimizers", "strategies", "learning",
    "faults",
    "exit-codes", "environment",
  ]

  @Test("The help of a verb names its flags, by --help and by `help`", arguments: UsageTests.verbs)
  func verb(_ verb: String) throws {
    let tool = try CommandLineTool()
    let byFlag = try tool.run(verb, "--help")
    byFlag.expectSuccess()
    #expect(try tool.run("help", verb).output == byFlag.output)
    #expect(byFlag.output.hasPrefix("nndist \(verb)"))
    let flags: [String: [String]] = [
      "train": ["--set", "--run", "--resume", "--json", "--quiet"],
      "simulate": ["--ranks", "--set", "--run", "--resume", "--json", "--quiet"],
      "launch": ["-n, --ranks", "--restarts", "--min-ranks", "--hang", "--backoff", "--host", "--mca", "--mpirun"],
      "evaluate": ["--data", "--config", "--set", "--json"],
      "predict": ["--data", "-o, --output", "--classes", "--config", "--set", "--json"],
      "verify": ["--step", "--threads", "--json", "--quiet"],
      "check": ["--samples", "--no-gradients", "--set", "--json"],
      "data": ["--mirror", "--into", "--set", "--json", "--quiet"],
      "bench": ["--model", "--batch", "--seconds", "--json"],
    ]
    for flag in (flags[verb] ?? ["--json"]) + ["--help"] {
      #expect(byFlag.output.contains("  \(flag)"), "\(verb) --help does not name \(flag)")
    }
  }

  @Test("Every page fits into 100 columns and has no colours where it is no terminal", arguments: topics)
  func topic(_ topic: String) throws {
    let result = try CommandLineTool().run("help", topic)
    result.expectSuccess()
    #expect(result.outputLines.count > 5)
    for line in result.outputLines { #expect(line.count <= 100, "\(line.count) columns: \(line)") }
    #expect(!result.output.contains("\u{1B}"))
  }

  @Test("The overview names every verb and every page, in 100 columns")
  func overview() throws {
    let tool = try CommandLineTool()
    let overview = try tool.run("--help")
    overview.expectSuccess()
    for word in UsageTests.verbs + HelpTests.topics { #expect(overview.output.contains("  \(word)"), "no \(word)") }
    for line in overview.outputLines { #expect(line.count <= 100, "\(line)") }
    #expect(try tool.run("help").output == overview.output)
    #expect(try tool.run("-h").output == overview.output)
  }

  @Test(
    "`help config` has keys of every section with type, unit and default",
    arguments: [
      ("training", "batch", "(samples); default 128"), ("training", "shards", "default ranks"),
      ("optimizer", "schedule", "constant | step | cosine | one-cycle; default constant"),
      ("compute", "backend", "onednn | openblas; default onednn"), ("checkpoint", "every", "epochs or steps"),
      ("data", "validation", "default 0"), ("", "seed", "default 1"),
    ])
  func keys(_ section: String, _ key: String, _ words: String) throws {
    let tool = try CommandLineTool()
    let text = try tool.run("help", "config").output
    #expect(text.contains(words))
    let keys = try #require(try tool.run("help", "config", "--json").json["keys"] as? [[String: Any]])
    let name = section.isEmpty ? key : "\(section).\(key)"
    let entry = try #require(keys.first { $0["key"] as? String == name }, "no \(name)")
    #expect((entry["help"] as? String)?.isEmpty == false)
    for field in ["type", "range", "unit", "required", "choices", "default"] { #expect(entry[field] != nil) }
  }

  @Test(
    "Pages name what can be chosen, and its keys",
    arguments: [
      ("layers", ["convolution", "groups", "batch-norm", "max-pool", "dropout", "residual", "attention", "gelu"]),
      ("models", ["mlp", "widths", "resnet20", "resnet110", "vgg11", "gpt", "heads"]),
      ("optimizers", ["sgd", "nesterov", "adamw", "lars", "one-cycle", "milestones"]),
      ("data-sets", ["digits", "fashion-mnist", "tinyshakespeare", "csv", "label", "npz"]),
      ("partitions", ["iid", "dirichlet", "alpha", "shards-per-client", "natural", "resample", "minimum"]),
      ("strategies", ["allreduce", "diloco"]),
      ("learning", ["backpropagation", "dgl"]),
      ("faults", ["kill", "hang", "delay", "corrupt", "nan", "fail-write", "fill-disk", "attempt", "at"]),
      ("exit-codes", (0...11).map { "  \($0) " }),
      ("environment", ["NNDIST_DATA", "NNDIST_SECTION__KEY", "NNDIST_MARCH", "NO_COLOR"]),
    ])
  func names(_ topic: String, _ words: [String]) throws {
    let text = try CommandLineTool().run("help", topic).output
    for word in words { #expect(text.contains(word), "no \(word)") }
  }

  @Test("A topic as JSON holds the page")
  func json() throws {
    let tool = try CommandLineTool()
    let json = try tool.run("help", "exit-codes", "--json").json
    #expect(json["verb"] as? String == "help")
    #expect(json["topic"] as? String == "exit-codes")
    #expect((json["text"] as? String)?.contains("Exit codes") == true)
  }
}
