import Testing

@Suite("The command line")
struct UsageTests {
  @Test("An unknown verb is exit 2 and names the nearest")
  func unknownVerb() throws {
    try CommandLineTool().run("trian", "a.yaml").expectFailure(2, "`trian`", "`train`")
  }

  @Test("An unknown flag is exit 2 and names the nearest")
  func unknownFlag() throws {
    try CommandLineTool().run("train", "a.yaml", "--jsn").expectFailure(2, "--jsn", "--json")
  }

  @Test("A configuration that is not there is exit 3")
  func noFile() throws {
    let tool = try CommandLineTool()
    try tool.run("train", "none.yaml").expectFailure(3, "none.yaml")
    #expect(tool.names() == [])
  }

  @Test("A training leaves a run directory and says its digest")
  func trains() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    let result = try tool.run("train", "digits.yaml", "--json", "--run", "run")
    result.expectSuccess()
    #expect((result.json["parameters_digest"] as? String)?.count == 64)
    #expect(tool.exists("run/config.yaml"))
  }
}
