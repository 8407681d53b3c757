import Configuration
import Testing

@Suite("What is written reads back the same")
struct EmissionTests {
  @Test(arguments: Samples.all)
  func samples(yaml: String) throws {
    let node = try Node.parse(yaml, file: "x")
    let again = try Node.parse(node.yaml(), file: "y")
    #expect(again == node)
    #expect(again.yaml() == node.yaml())
    #expect(try Node.parse(node.yamlOnOneLine(), file: "z") == node)
    #expect(!node.yamlOnOneLine().contains("\n"))
  }

  @Test func shortMapsStayOnOneLine() throws {
    #expect(
      try Node.parse(Samples.training, file: "x").yaml() == """
        name: fashion-resnet
        seed: 1
        model: resnet20
        data: {name: fashion-mnist, validation: 0.1}
        training: {epochs: 5, batch: 128, shards: 8}
        optimizer:
          name: sgd
          learning-rate: 0.1
          momentum: 0.9
          weight-decay: 5e-4
          schedule: cosine
          warmup: 1
        checkpoint: {every: 1 epoch, keep: 3}

        """)
    #expect(
      try Node.parse(Samples.layers, file: "x").yaml() == """
        model:
          layers:
            - {convolution: {channels: 32, kernel: 3, padding: 1}}
            - relu
            - {max-pool: 2}
            - flatten
            - {dropout: 0.1}
            - {linear: 10}
          residual: [[a, {b: 1, c: two}], [], {}]
        federated: {strategy: fedavg, clients: 100, partition: {name: dirichlet, alpha: 0.5}}

        """)
  }

  @Test(arguments: [
    ("abc", "abc"), ("12", "\"12\""), ("true", "\"true\""), ("null", "\"null\""), ("yes", "\"yes\""), ("", "\"\""),
    (" x", "\" x\""), ("x ", "\"x \""), ("a: b", "\"a: b\""), ("a #b", "\"a #b\""), ("- a", "\"- a\""),
    ("---", "\"---\""), ("...", "\"...\""), ("a\nb", "\"a\\nb\""), ("a\"b\\", "\"a\\\"b\\\\\""), ("../data", "../data"),
    ("/tmp/x", "/tmp/x"), ("1 epoch", "1 epoch"), ("[a", "\"[a\""), ("0x1F", "\"0x1F\""), (".inf", "\".inf\""),
    ("\u{0}\u{85}\u{2028}\u{FEFF}", "\"\\x00\\x85\\u2028\\ufeff\""), ("東京", "東京"), ("~", "\"~\""),
  ])
  func textsAreQuotedWhereNeeded(text: String, yaml: String) throws {
    #expect(Node.text(text).yaml() == yaml + "\n")
    for node in [
      Node.text(text), .list([.text(text)]), .map([text: .text(text)]), .list([.map([text: .list([.null])])]),
    ] {
      #expect(try Node.parse(node.yaml(), file: "x") == node)
    }
  }

  @Test func builtNodes() throws {
    let node = Node.map([
      "a": .integer(-3), "b": .number(5e-4), "c": .flag(true), "d": .null, "e": .empty, "f": .list([]),
      "g": .number(-.infinity), "h": .number(0.1), "i": .scalar("x\ny"), "j": .scalar(""), "k": .scalar("12"),
    ])
    let again = try Node.parse(node.yaml(), file: "x")
    #expect(again == node)
    #expect(again["b"]?.number == 5e-4)
    #expect(again["g"]?.number == -.infinity)
    #expect(again["k"]?.integer == 12)
    #expect(again["j"]?.text == "")
    for bits in stride(from: UInt64(1), to: .max, by: 0x0123_4567_89AB_CDEF) {
      let value = Double(bitPattern: bits)
      guard value.isFinite else { continue }
      #expect(try Node.parse(Node.number(value).yaml(), file: "x").number?.bitPattern == bits)
    }
  }

  @Test func nodesThatMeanTheSameAreEqual() throws {
    #expect(try Node.parse("a: 'x'", file: "1") == Node.parse("\n\na: x", file: "2"))
    #expect(try Node.parse("a: '1'", file: "1") != Node.parse("a: 1", file: "1"))
    #expect(try Node.parse("{a: 1, b: 2}", file: "1") != Node.parse("{b: 2, a: 1}", file: "1"))
    #expect(Node.scalar("é") != Node.scalar("e\u{301}"))
  }
}
