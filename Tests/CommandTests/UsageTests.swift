import Foundation
import Testing

@Suite("The command line")
struct UsageTests {
  static let verbs = [
    "train", "simulate", "launch", "evaluate", "predict", "inspect", "verify", "check", "bench", "data", "keys",
    "doctor", "help",
  ]

  @Test(
    "What makes no sense is exit 2, with the nearest that does",
    arguments: [
      (["trian", "a.yaml"], "did you mean `train`?"),
      (["train", "a.yaml", "--jsn"], "did you mean --json?"),
      (["train"], "expected `nndist train CONFIG`; none is given"),
      (["train", "a.yaml", "b.yaml"], "given: a.yaml b.yaml"),
      (["train", "a.yaml", "--run"], "--run needs a value: --run DIR"),
      (["train", "a.yaml", "--json=1"], "--json takes no value"),
      (["train", "a.yaml", "--json", "--json"], "--json is given twice"),
      (["simulate", "a.yaml", "--ranks", "many"], "expected a whole number from 1 to"),
      (["simulate", "a.yaml", "--ranks", "0"], "expected a whole number from 1 to"),
      (["simulate", "a.yaml", "--rnks", "2"], "did you mean --ranks?"),
      (["verify", "run", "--step", "0"], "--step is `0`"),
      (["check", "a.yaml", "--samples", "0"], "--samples is `0`"),
      (["predict", "run"], "needs --data X"),
      (["predict", "run", "--data", "digits"], "needs -o FILE"),
      (["predict", "run", "--data", "digits", "-o", "out.txt"], "ends in .npy"),
      (["data"], "expected `nndist data list | fetch NAME | partition CONFIG`"),
      (["data", "lst"], "did you mean `list`?"),
      (["data", "list", "mnist"], "takes no name"),
      (["data", "fetch"], "needs a name: mnist"),
      (["help", "confg"], "did you mean `config`?"),
      (["doctor", "now"], "given: now"),
    ])
  func nonsense(_ arguments: [String], _ remedy: String) throws {
    let tool = try CommandLineTool()
    try tool.run(arguments).expectFailure(2, remedy)
    #expect(tool.names() == [], "something was left behind")
  }

  @Test("No word at all is exit 2 and shows the verbs")
  func nothing() throws {
    let result = try CommandLineTool().run()
    #expect(result.status == 2)
    for verb in UsageTests.verbs { #expect(result.output.contains("  \(verb)")) }
  }

  @Test("An assignment that is none is exit 2", arguments: ["training.batch", "=64"])
  func noAssignment(_ text: String) throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    try tool.run("train", "digits.yaml", "--set", text).expectFailure(2, "--set `\(text)`", "--set training.batch=64")
    #expect(tool.names() == ["digits.yaml"])
  }

  @Test("--version says a version")
  func version() throws {
    let result = try CommandLineTool().run("--version")
    result.expectSuccess()
    #expect(result.output.hasPrefix("nndist 0."))
    #expect(result.outputLines.count == 1)
  }

  @Test("A reader that goes away is no crash")
  func brokenPipe() throws {
    let tool = try CommandLineTool()
    let program = try CommandLineTool.executable().path
    let result = try tool.run(program: ["bash", "-c", "'\(program)' help config | head -n 1; echo ${PIPESTATUS[0]}"])
    #expect(result.errors == "")
    #expect(result.outputLines.last == "0")
  }
}
