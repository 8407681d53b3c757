import Federated
import FederatedNetwork
import Testing

@Suite("An address of a status page") struct StatusAddressTests {
  @Test(
    "is http://HOST:PORT and nothing else",
    arguments: [
      ("http://127.0.0.1:8080", "http://127.0.0.1:8080", true), ("http://localhost:0/", "http://localhost:0", true),
      ("HTTP://LocalHost:1", "http://localhost:1", true), ("http://:8080", "http://127.0.0.1:8080", true),
      ("http://[::1]:65535", "http://[::1]:65535", true), ("http://0.0.0.0:80", "http://0.0.0.0:80", false),
      ("http://[::]:80", "http://[::]:80", false), ("http://status.example:9", "http://status.example:9", false),
      ("http://127.example:9", "http://127.example:9", false), ("http://127.0.0.256:9", "http://127.0.0.256:9", false),
    ])
  func parsed(_ text: String, _ same: String, _ isLoopback: Bool) throws {
    let address = try StatusAddress.parse(text)
    #expect("\(address)" == same)
    #expect(address.isLoopback == isLoopback)
  }

  @Test(
    "is refused in one line that shows what is expected",
    arguments: [
      ("https://127.0.0.1:8080", "not encrypted"), ("127.0.0.1:8080", "does not begin with http://"),
      ("", "does not begin with http://"), ("tcp://127.0.0.1:1", "does not begin with http://"),
      ("http://127.0.0.1:8080/status", "has a path"), ("http://127.0.0.1:8080//", "has a path"),
      ("http://127.0.0.1:8080?a", "has a path"), ("http://127.0.0.1:1#a", "has a path"),
      ("http://127.0.0.1", "no port"), ("http://[::1]", "no port"), ("http://127.0.0.1:", "is no port"),
      ("http://127.0.0.1:65536", "is no port"), ("http://127.0.0.1:-1", "is no port"), ("http://a:+1", "is no port"),
      ("http://127.0.0.1:80a", "is no port"), ("http://user@host:80", "is no host"), ("http://::1:80", "is no host"),
      ("http://[::1:80", "is no host"), ("http://[host]:80", "is no host"), ("http://a b:80", "is no host"),
    ])
  func refused(_ text: String, _ reason: String) {
    do throws(FederatedError) {
      _ = try StatusAddress.parse(text)
      Issue.record("taken")
    } catch {
      #expect(error.kind == .usage)
      #expect(error.message.hasPrefix("--status is `\(text)`: "))
      #expect(error.message.contains(reason), "\(error)")
      #expect(error.message.hasSuffix("such as http://127.0.0.1:8080"))
    }
  }
}
