import Configuration
import Testing

@Suite("Flags and the environment override the file")
struct SettingTests {
  @Test(arguments: [
    ("a: 1", "a", "2", "{a: 2}"),
    ("a: 1", "b.c.d", "x", "{a: 1, b: {c: {d: x}}}"),
    ("{a: {b: 1, c: 2}}", "a.b", "[1, 2]", "{a: {b: [1, 2], c: 2}}"),
    ("{a: {b: 1, c: 2}}", "a", "{d: 3}", "{a: {d: 3}}"),
    ("strategy: diloco", "strategy.period", "50", "{strategy: {name: diloco, period: 50}}"),
    ("strategy: diloco", "strategy.name", "zero", "{strategy: {name: zero}}"),
    ("strategy: {name: diloco, period: 50}", "strategy", "allreduce", "{strategy: allreduce}"),
    ("model: {layers: [relu, tanh]}", "model.layers.1", "elu", "{model: {layers: [relu, elu]}}"),
    ("model: {layers: [{linear: 10}]}", "model.layers.0.linear", "5", "{model: {layers: [{linear: 5}]}}"),
    ("a: 1", "a", "", "{a: null}"), ("a:", "a.b", "1", "{a: {b: 1}}"), ("a: 1", "a", "'2'", "{a: \"2\"}"),
    ("null", "a.b", "1", "{a: {b: 1}}"), ("{}", "a", "true", "{a: true}"), ("[1, 2]", "1", "3", "[1, 3]"),
  ])
  func settings(yaml: String, path: String, value: String, result: String) throws {
    let changed = try Node.parse(yaml, file: "x").setting(path, to: value, source: "--set")
    #expect(changed.yamlOnOneLine() == result)
  }

  @Test func placesTellWhereAValueCameFrom() throws {
    let node = try Node.parse("a:\n  b: 1\n  c: 2\n", file: "x").setting("a.b", to: "-5", source: "NNDIST_A_B")
    #expect(node["a"]?["b"]?.place == Place(file: "NNDIST_A_B"))
    #expect(node["a"]?["c"]?.place == Place(file: "x", line: 3))
    var options = Options(node)
    let said = thrown { () throws(ConfigurationError) in
      try options.section("a", "") { (a) throws(ConfigurationError) in _ = try a.integer("b", in: 1...9, "") }
    }
    #expect(said == "NNDIST_A_B: a.b is -5; expected a whole number from 1 to 9")
  }

  @Test(arguments: [
    ("a: 1", "", "1", "--set: `` is not a key; expected one such as training.batch"),
    ("a: 1", "a..b", "1", "--set: `a..b` is not a key; expected one such as training.batch"),
    ("a: 1", "a", "[1", "--set: a cannot be `[1`: not YAML:"),
    ("a: 1", "a", "*x", "--set: a cannot be `*x`: aliases"),
    ("a: [1]", "a.1", "1", "--set: `a.1` addresses no value: a is a list, whose values are 0 to 0"),
    ("a: [1]", "a.-1", "1", "--set: `a.-1` addresses no value"),
    ("a: []", "a.x", "1", "--set: `a.x` addresses no value: a is a list, which is empty"),
    ("abc", "a", "1", "x:1: the file is \"abc\"; expected keys and values"),
  ])
  func refusals(yaml: String, path: String, value: String, message: String) throws {
    let node = try Node.parse(yaml, file: "x")
    let said = thrown { () throws(ConfigurationError) in _ = try node.setting(path, to: value, source: "--set") }
    #expect(said.hasPrefix(message), "\(said)")
  }

  @Test func depthStaysLimited() {
    let path = Array(repeating: "a", count: 64).joined(separator: ".")
    #expect(throws: Never.self) { try Node.empty.setting(path, to: "1", source: "--set") }
    #expect(throws: ConfigurationError.self) { try Node.empty.setting(path, to: "[1]", source: "--set") }
    #expect(throws: ConfigurationError.self) { try Node.empty.setting(path + ".a", to: "1", source: "--set") }
  }
}
