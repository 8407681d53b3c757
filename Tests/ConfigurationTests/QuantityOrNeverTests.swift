import Configuration
import Testing

@Suite("A count that may be never")
struct QuantityOrNeverTests {
  private func read(_ yaml: String) throws(ConfigurationError) -> (value: Quantity?, resolved: Node) {
    var options = Options(try Node.parse(yaml, file: "a.yaml"))
    let value = try options.quantityOrNever(
      "digest", in: ["epoch", "step"], default: Quantity(1, "epoch"), "How often.")
    try options.finish()
    return (value, options.resolved)
  }

  @Test(
    "is read, and comes back from what it was resolved to",
    arguments: [("{}", Quantity(1, "epoch")), ("digest: 20 steps", Quantity(20, "step")), ("digest: never", nil)])
  func values(_ yaml: String, _ expected: Quantity?) throws {
    let first = try read(yaml)
    #expect(first.value == expected)
    let second = try read(first.resolved.yaml())
    #expect(second.value == expected && second.resolved == first.resolved)
  }

  @Test("or says what it may be", arguments: ["0 steps", "0", "3 samples", "always", "[1]"])
  func mistakes(_ value: String) throws {
    #expect {
      _ = try read("digest: \(value)")
    } throws: { error in
      "\(error)".contains("or `never`") && "\(error)".contains("a.yaml:1")
    }
  }
}
