import Configuration
import Foundation
import Testing

@Suite("YAML becomes nodes with places")
struct ParsingTests {
  @Test func valuesAndPlaces() throws {
    let node = try Node.parse(Samples.training, file: "configs/a.yaml")
    #expect(node.entries?.map(\.key).prefix(3) == ["name", "seed", "model"])
    #expect(node["name"]?.text == "fashion-resnet")
    #expect(node["training"]?["batch"]?.integer == 128)
    #expect(node["optimizer"]?["weight-decay"]?.number == 5e-4)
    #expect(node["seed"]?.place == Place(file: "configs/a.yaml", line: 3))
    #expect(node["seed"]?.place.description == "configs/a.yaml:3")
  }

  @Test func keysAndValuesHaveTheirOwnLines() throws {
    let node = try Node.parse("a:\n\n  - 1\n  - 2\nb: 3\n", file: "x")
    let entry = try #require(node.entries?.first)
    #expect(entry.place.line == 1)
    #expect(entry.value.place.line == 3)
    #expect(entry.value.items?.map(\.place.line) == [3, 4])
  }

  @Test(arguments: ["null", "~", "Null", "NULL", "", "  # only a comment"])
  func nulls(text: String) throws {
    #expect(try Node.parse("a: \(text)", file: "x")["a"]?.isNull == true)
  }

  @Test func quotedScalarsAreTexts() throws {
    let node = try Node.parse(Samples.all[2], file: "x")
    #expect(node["number"]?.integer == nil)
    #expect(node["number"]?.text == "12")
    #expect(node["truth"]?.flag == nil)
    #expect(node["nothing"]?.text == "null")
    #expect(node["empty"]?.text == "")
    #expect(node["escapes"]?.text == "tab\t newline\n quote\" bell\u{7} null\0 nel\u{85}")
    #expect(node["unicode"]?.text == "Zürich – 東京 🚀")
    #expect(node["literal"]?.text == "two\n  lines\n")
    #expect(node["folded"]?.text == "one line")
    #expect(try Node.parse("a: !!str 12", file: "x")["a"]?.integer == nil)
  }

  @Test(
    arguments: [
      ("12", 12), ("-3", -3), ("+4", 4), ("0x1F", 31), ("0o17", 15), ("010", 10), ("1_000", nil), ("1.0", nil),
      ("1e3", nil), ("9223372036854775807", Int.max), ("9223372036854775808", nil), ("-", nil), ("0x", nil),
      ("0o8", nil),
      ("abc", nil), ("-9223372036854775808", Int.min),
    ] as [(String, Int?)])
  func wholeNumbers(text: String, value: Int?) {
    #expect(Node.scalar(text).integer == value)
  }

  @Test(
    arguments: [
      ("12", 12), ("-3.5", -3.5), (".5", 0.5), ("1.", 1), ("5e-4", 5e-4), ("5E+2", 500), ("+1e3", 1000),
      (".inf", .infinity),
      ("-.INF", -.infinity), ("1e999", .infinity), ("1e", nil), (".", nil), ("e5", nil), ("inf", nil), ("nan", nil),
      ("0x10", nil), ("1 2", nil), ("1.2.3", nil), ("", nil), ("0x1p3", nil),
    ] as [(String, Double?)])
  func numbers(text: String, value: Double?) {
    #expect(Node.scalar(text).number == value)
  }

  @Test func notANumber() {
    #expect(Node.scalar(".nan").number?.isNaN == true)
  }

  @Test(arguments: [("true", true), ("False", false), ("yes", nil), ("on", nil), ("1", nil)] as [(String, Bool?)])
  func truthValues(text: String, value: Bool?) {
    #expect(Node.scalar(text).flag == value)
  }

  @Test(arguments: [
    ("", "a.yaml:1: the file is empty; expected keys and values"),
    ("# nothing\n\n", "a.yaml:1: the file is empty; expected keys and values"),
    ("---\n", "a.yaml:1: the file is empty; expected keys and values"),
    ("a: 1\nb: 2\na: 3\n", "a.yaml:3: the key `a` comes twice; it already stands on line 1"),
    ("t:\n  {x: 1, x: 2}\n", "a.yaml:2: the key `x` comes twice; it already stands on line 2"),
    ("a: &x 1\nb: 2\n", "a.yaml:1: anchors (`&name`) are not supported; write the value out"),
    ("a: 1\nb: &x [1]\n", "a.yaml:2: anchors (`&name`) are not supported; write the value out"),
    ("a: 1\nb: &x {c: 1}\n", "a.yaml:2: anchors (`&name`) are not supported; write the value out"),
    ("a: 1\nb: *x\n", "a.yaml:2: aliases (`*name`) are not supported; write the value out"),
    ("a: 1\n---\nb: 2\n", "a.yaml:2: a second document starts here; a configuration is one document"),
    ("a:\n\tb: 1\n", "a.yaml:2: not YAML: a tab indents this line; use spaces"),
    ("a: !!int 3\n", "a.yaml:1: the tag `tag:yaml.org,2002:int` is not supported; leave it out"),
    ("a: !mine [3]\n", "a.yaml:1: the tag `!mine` is not supported; leave it out"),
    ("? [1, 2]\n: 3\n", "a.yaml:1: a key is a list; expected a name"),
    ("a: [1,\n  2\nb: 3\n", "a.yaml:3: not YAML:"),
    ("a: 1\n b: 2\n", "a.yaml:2: not YAML:"),
    ("a: 'open\n", "a.yaml:2: not YAML: found unexpected end of stream"),
    ("a: 1\nb: \u{1}\n", "a.yaml:2: not YAML: control characters are not allowed"),
    ("a: 1\nb: }\n", "a.yaml:2: not YAML:"),
    ("a: @b\n", "a.yaml:1: not YAML: found character that cannot start any token"),
  ])
  func refusals(yaml: String, message: String) {
    let said = thrown { () throws(ConfigurationError) in _ = try Node.parse(yaml, file: "a.yaml") }
    #expect(said.hasPrefix(message), "\(said)")
    #expect(!said.contains("\n"))
  }

  @Test func notUTF8() {
    let bytes: [UInt8] = Array("a: 1\nb: é\nc: ".utf8) + [0xFF, 0x0A]
    #expect(
      thrown { () throws(ConfigurationError) in _ = try Node.parse(bytes, file: "a.yaml") }
        == "a.yaml:3: not UTF-8 text; save the file as UTF-8")
    let wide: [UInt8] = [0xFF, 0xFE, 0x61, 0, 0x3A, 0]
    #expect(
      thrown { () throws(ConfigurationError) in _ = try Node.parse(wide, file: "a.yaml") }
        == "a.yaml:1: not UTF-8 text; save the file as UTF-8")
  }

  @Test func byteOrderMarksAndWindowsLinesAreRead() throws {
    let node = try Node.parse("\u{FEFF}a: 1\r\nb: 2\r\n", file: "x")
    #expect(node["a"]?.integer == 1)
    #expect(node["b"]?.integer == 2)
    #expect(node["b"]?.place.line == 2)
  }

  @Test func depthIsLimited() throws {
    func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
    let deepest = try Node.parse(nested(64), file: "x")
    #expect(try Node.parse(deepest.yaml(), file: "x") == deepest)
    for depth in [65, 1000, 100_000] {
      #expect(
        thrown { () throws(ConfigurationError) in _ = try Node.parse("\n" + nested(depth), file: "x") }
          == "x:2: lists and maps nest deeper than 64 levels")
    }
    let maps = String(repeating: "{a: ", count: 500_000 / 4)
    #expect(thrown { () throws(ConfigurationError) in _ = try Node.parse(maps, file: "x") }.contains("deeper than 64"))
  }

  @Test func sizesAreLimited() throws {
    let fits = "a: " + String(repeating: "x", count: (1 << 20) - 3)
    #expect(try Node.parse(fits, file: "x")["a"]?.text?.utf8.count == (1 << 20) - 3)
    #expect(
      thrown { () throws(ConfigurationError) in _ = try Node.parse(fits + "x", file: "x") }
        == "x: larger than 1 MiB; a configuration is not")
    let key = String(repeating: "k", count: 201)
    #expect(
      thrown { () throws(ConfigurationError) in _ = try Node.parse("\(key): 1", file: "x") }
        .hasSuffix("is longer than 200 bytes"))
  }

  @Test func filesAreLoaded() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("nndist-\(UUID().uuidString).yaml").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(Samples.training.utf8).write(to: URL(fileURLWithPath: path))
    let node = try Node.load(path)
    #expect(node == (try Node.parse(Samples.training, file: "x")))
    #expect(node["seed"]?.place == Place(file: path, line: 3))
    try Data(repeating: 0x20, count: 3 << 20).write(to: URL(fileURLWithPath: path))
    #expect(
      thrown { () throws(ConfigurationError) in _ = try Node.load(path) }.hasSuffix(
        "larger than 1 MiB; a configuration is not"))
  }

  @Test func unreadableFilesSaySo() {
    #expect(
      thrown { () throws(ConfigurationError) in _ = try Node.load("no/such.yaml") }
        == "no/such.yaml: cannot be read: No such file or directory")
    #expect(thrown { () throws(ConfigurationError) in _ = try Node.load("/") } == "/: cannot be read: Is a directory")
    #expect(
      thrown { () throws(ConfigurationError) in _ = try Node.load("/dev/null") }
        == "/dev/null:1: the file is empty; expected keys and values")
  }
}
