import Configuration
import Strategies
import Testing

@Suite("Strategies by name")
struct StrategyCatalogTests {
  private func read(_ yaml: String) throws -> any CommunicationStrategy {
    var options = Options(try Node.parse(yaml, file: "test.yaml"))
    let make = try StrategyCatalog.read(&options)
    try options.finish()
    return make()
  }

  @Test("all-reduce is the default, and each call makes a new one")
  func fresh() throws {
    var options = Options(try Node.parse("{}", file: "test.yaml"))
    let make = try StrategyCatalog.read(&options)
    let (one, other) = (make(), make())
    #expect(one is AllReduce)
    #expect(one !== other)
    #expect(try read("strategy: allreduce") is AllReduce)
    #expect(try read("strategy: {name: allreduce}") is AllReduce)
  }

  @Test("an unknown name is an error that knows what was meant")
  func unknown() {
    #expect { try read("strategy: allreduced") } throws: {
      "\($0)".contains("allreduce") && "\($0)".contains("test.yaml:1")
    }
    #expect { try read("strategy: {name: allreduce, period: 3}") } throws: { "\($0)".contains("period") }
  }

  @Test("names are the field's, in lower case, and none comes twice")
  func names() {
    let names = StrategyCatalog.all.map { $0.name }
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { name in name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" } })
    #expect(StrategyCatalog.all.allSatisfy { !$0.help.isEmpty })
  }
}
