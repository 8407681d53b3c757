import Foundation
import Testing

@Suite("`nndist keys` makes a folder of keys")
struct KeysTests {
  @Test("as JSON it says where, how many, and the server's public key")
  func json() throws {
    let tool = try CommandLineTool()
    let result = try tool.run("keys", "keys", "--clients", "3", "--json")
    result.expectSuccess()
    #expect(result.json["verb"] as? String == "keys")
    #expect(result.json["directory"] as? String == "keys")
    #expect(result.json["clients"] as? Int == 3)
    #expect(result.json["added"] as? Int == 3)
    let key = try #require(result.json["server_public"] as? String)
    #expect(try tool.text("keys/server.public") == key + "\n")
    let files = tool.names(below: "keys")
    #expect(
      files == ["clients"] + (0..<3).flatMap { ["clients/\($0).public", "clients/\($0).secret"] } + [
        "server.public", "server.secret",
      ])
    #expect(!result.output.contains(try tool.text("keys/server.secret").dropLast()))
  }

  @Test("for people it says what to hand out, and --quiet says nothing")
  func text() throws {
    let tool = try CommandLineTool()
    let result = try tool.run("keys", "keys", "--clients", "2")
    result.expectSuccess()
    for word in ["2 clients", "server.public", "clients/K.secret"] { #expect(result.output.contains(word)) }
    let more = try tool.run("keys", "keys", "--clients", "4", "--quiet")
    more.expectSuccess()
    #expect(more.output == "" && more.errors == "")
    #expect(tool.exists("keys/clients/3.secret"))
  }

  @Test(
    "a number of clients that makes no sense is exit 2 and leaves nothing",
    arguments: [
      (["--clients", "0"], "--clients is `0`"), (["--clients", "-1"], "--clients is `-1`"),
      (["--clients", "many"], "--clients is `many`"), ([], "needs --clients N"),
      (["--client", "2"], "did you mean --clients?"),
    ])
  func number(_ flags: [String], _ remedy: String) throws {
    let tool = try CommandLineTool()
    try tool.run(["keys", "keys"] + flags).expectFailure(2, remedy)
    #expect(tool.names() == [])
  }

  @Test("keys that exist are never replaced: exit 9")
  func existing() throws {
    let tool = try CommandLineTool()
    try tool.run("keys", "keys", "--clients", "2").expectSuccess()
    let before = try tool.data("keys/server.secret")
    try tool.run("keys", "keys", "--clients", "2").expectFailure(
      9, "2 clients already", "more than 2", "another folder")
    #expect(try tool.data("keys/server.secret") == before)
  }

  @Test("a damaged key is exit 4, a folder that cannot be made exit 9")
  func bad() throws {
    let tool = try CommandLineTool()
    try tool.run("keys", "keys", "--clients", "2").expectSuccess()
    try tool.write("nothing", to: "keys/clients/1.public")
    try tool.run("keys", "keys", "--clients", "3").expectFailure(4, "clients/1.public is damaged")
    try tool.run("keys", "none/keys", "--clients", "3").expectFailure(9, "none/keys", "No such file")
  }
}
