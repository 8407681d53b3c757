import Configuration
import Testing

@Suite("A reader documents its keys")
struct DocumentationTests {
  static func read(_ options: inout Options) throws(ConfigurationError) { _ = try Experiment(&options) }

  @Test func everyKeyIsListed() {
    let keys = Options.document(Self.read)
    #expect(
      keys.map(\.key) == [
        "name", "seed", "training", "training.epochs", "training.batch", "optimizer", "optimizer.learning-rate",
        "optimizer.momentum", "optimizer.nesterov", "optimizer.schedule", "widths", "every",
      ])
    let described = Dictionary(uniqueKeysWithValues: keys.map { ($0.key, $0) })
    #expect(
      described["training.batch"]
        == keys.first {
          $0.type == "whole number" && $0.range == "at least 1" && $0.unit == "samples" && $0.defaultValue == nil
            && $0.isRequired && $0.help == "The global batch."
        })
    #expect(described["training.epochs"]?.isRequired == false)
    #expect(described["training"]?.type == "section")
    #expect(described["optimizer"]?.choices == ["sgd", "adam"])
    #expect(described["optimizer"]?.defaultValue == "sgd")
    #expect(described["optimizer.schedule"]?.choices == ["constant", "cosine"])
    #expect(described["optimizer.momentum"]?.range == "at least 0 and below 1")
    #expect(described["widths"]?.defaultValue == "[512, 512]")
    #expect(described["widths"]?.type == "list of whole numbers")
    #expect(described["every"]?.defaultValue == "1 epoch")
    #expect(described["every"]?.type == "count of epochs or steps")
  }

  @Test func eachChoiceCanBeListed() {
    let keys = Options.document(choosing: ["optimizer": "adam"], Self.read).map(\.key)
    #expect(keys.contains("optimizer.learning-rate"))
    #expect(!keys.contains("optimizer.momentum"))
    let inner = Options.document(path: "run") { (options) throws(ConfigurationError) in try Self.read(&options) }
    #expect(inner.first?.key == "run.name")
  }

  @Test func namesWithoutADefaultRunTheFirst() {
    var ran: [String] = []
    let keys = Options.document { (options) throws(ConfigurationError) in
      try options.named("model", of: ["mlp", "cnn"], "") { (name, _) throws(ConfigurationError) in ran.append(name) }
    }
    #expect(ran == ["mlp"])
    #expect(keys.first?.isRequired == true)
  }

  @Test(arguments: [1...9, 0...0, -5 ... -2, 7...Int.max, Int.min ... -3, Int.min...Int.max, -1...0])
  func standInsLieInTheirRanges(range: ClosedRange<Int>) {
    var value: (Int, [Int])?
    _ = Options.document { (options) throws(ConfigurationError) in
      value = (try options.integer("a", in: range, ""), try options.integers("b", in: range, ""))
    }
    #expect(value.map { range.contains($0.0) && $0.1.allSatisfy(range.contains) } == true)
  }

  @Test(arguments: [
    Bounds.finite, .positive, .nonNegative, .fraction, .open01, .fractionBelowOne, .positiveFraction, .above(1),
    .atLeast(1e300),
    .between(2, 2), .between(-4, -3), Bounds(lower: -.infinity, upper: -1e300, includesUpper: false), .above(1e300),
    Bounds(lower: 0.1, upper: 0.2, includesLower: false, includesUpper: false),
  ])
  func standInsLieInTheirBounds(bounds: Bounds) {
    var value: Double?
    _ = Options.document { (options) throws(ConfigurationError) in value = try options.number("a", in: bounds, "") }
    #expect(value.map(bounds.contains) == true)
  }

  @Test func otherStandIns() {
    var values: [String] = []
    let keys = Options.document { (options) throws(ConfigurationError) in
      values.append(try options.choice("a", of: ["u", "v"], ""))
      values.append(try options.text("b", ""))
      values.append("\(try options.flag("c", ""))")
      values.append("\(try options.quantity("d", in: ["step"], ""))")
      values.append(options.node("e", "") == nil ? "absent" : "present")
      try options.require(false, "never checked here")
      values.append(try options.choice("f", of: ["w"], ""))
    }
    #expect(values == ["u", "text", "false", "1 step", "absent", "w"])
    #expect(keys.count == 6)
  }

  @Test func aReadersOwnErrorEndsTheListQuietly() {
    let keys = Options.document { (options) throws(ConfigurationError) in
      try options.section("a", "") { (inner) throws(ConfigurationError) in
        _ = try inner.integer("b", "")
        throw inner.error("no")
      }
      _ = try options.integer("c", "")
    }
    #expect(keys.map(\.key) == ["a", "a.b"])
  }
}

@Suite("The nearest word")
struct NearestTests {
  @Test(
    arguments: [
      ("bathc", "batch"), ("learning_rate", "learning-rate"), ("Momentum", "momentum"), ("epoch", "epochs"),
      ("sede", "seed"),
      ("zzz", nil), ("", nil), ("wieght-decay", "weight-decay"), ("b", nil),
    ] as [(String, String?)])
  func suggestions(word: String, meant: String?) {
    let known = ["batch", "learning-rate", "momentum", "epochs", "seed", "weight-decay", "k"]
    #expect(nearest(word, among: known) == meant)
  }

  @Test func longWordsAreNotCompared() {
    #expect(nearest(String(repeating: "a", count: 100_000), among: ["a"]) == nil)
    #expect(nearest("a", among: []) == nil)
  }
}
