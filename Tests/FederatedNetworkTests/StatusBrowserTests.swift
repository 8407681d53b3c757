import FederatedNetwork
import Foundation
import Testing

@Suite("A status page in a browser", .enabled(if: Browser.isPresent, "no chromium on the PATH"), .serialized)
struct StatusBrowserTests {
  private let now = Date().timeIntervalSince1970

  private func open(_ status: FederationStatus, isDark: Bool = false) throws -> Browser.Page {
    let server = try StatusServer(at: .parse("http://127.0.0.1:0"), showing: StatusBoard(status))
    defer { withExtendedLifetime(server) {} }
    let page = try Browser.open("\(server.address)", isDark: isDark)
    #expect(page.console == [])
    #expect(!page.requests.isEmpty)
    for request in page.requests { #expect(request.hasPrefix("\(server.address)/"), "it asked elsewhere") }
    if let folder = ProcessInfo.processInfo.environment["NNDIST_SCREENSHOTS"] {
      let name = "\(folder)/\(status.clients.count)-\(isDark ? "dark" : "light").png"
      try page.screenshot.write(to: URL(fileURLWithPath: name))
    }
    return page
  }

  /// Points of the line of a class.
  private func points(_ page: Browser.Page, _ name: String) -> [Substring] {
    let parts = page.document.components(separatedBy: "<polyline class=\"line \(name)\" points=\"")
    return parts.count == 2 ? parts[1].prefix { $0 != "\"" }.split(separator: " ") : []
  }

  @Test("shows what the server says", arguments: [false, true]) func shows(_ isDark: Bool) throws {
    let page = try open(.sample(clients: 5, at: now), isDark: isDark)
    #expect(page.text("name") == "fashion-federated")
    #expect(page.text("state") == "in round")
    #expect(page.text("round") == "round 37 of 50")
    #expect(page.text("cohort")?.contains("7 of 10 updates of round 38, at most ") == true)
    #expect(page.text("about")?.hasPrefix("fedavg · since ") == true)
    #expect(page.text("about")?.contains(" · 12 min ") == true)
    let cards = Dictionary(
      uniqueKeysWithValues: zip(page.texts("div", "what"), zip(page.texts("div", "value"), page.texts("div", "more"))))
    #expect(cards["Clients online"]?.0 == "4" && cards["Clients online"]?.1 == "of 5")
    #expect(cards["Updates"]?.0 == "377" && cards["Updates"]?.1 == "3 rejected, 11 lost, 1 round skipped")
    #expect(cards["Bytes up"]?.0 == "148 MiB" && cards["Bytes up"]?.1 == "151 MiB on the wire")
    #expect(cards["ε spent"]?.0 == "2.35" && cards["ε spent"]?.1 == "at δ = 1.0e-5")
    #expect(cards["Accuracy"]?.0 == "82.0 %")
    #expect(points(page, "accuracy").count == 19 && points(page, "loss").count == 37)
    #expect(points(page, "up").count == 37 && points(page, "down").count == 37)
    #expect(page.document.components(separatedBy: "<tr").count - 1 == 1 + 5)
    #expect(page.document.contains("id=\"lost\" role=\"alert\" hidden"))
  }

  @Test("shows a client's name as the text that it is") func hostile() throws {
    let page = try open(.sample(clients: 5, at: now))
    #expect(page.document.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(!page.document.contains("<script>alert"))
    #expect(page.document.components(separatedBy: "<script").count == 2)
  }

  @Test("has its place before the first round, and for very many clients", arguments: [0, 200, 10_000])
  func sizes(_ clients: Int) throws {
    let page = try open(.sample(clients: clients, rounds: clients == 0 ? 0 : 37, at: now), isDark: clients == 200)
    let rows = page.document.components(separatedBy: "<tr").count - 2
    if clients == 0 {
      #expect(rows == 1 && page.document.contains(">no clients<"))
      #expect(page.document.components(separatedBy: "no round has ended yet").count == 4)
      #expect(points(page, "loss").isEmpty)
    } else {
      #expect(rows == 50)
      #expect(page.text("range")?.contains("1–50 of ") == true)
    }
  }

  @Test("is a picture that is not blank", arguments: [false, true]) func picture(_ isDark: Bool) throws {
    let data = try open(.sample(clients: 5, at: now), isDark: isDark).screenshot
    #expect(data.prefix(8) == Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
    // A picture of one colour, packed, is a few kilobytes at most.
    #expect(data.count > 20_000)
  }

  @Test("follows the server, and says so when that is gone") func lost() throws {
    let board = StatusBoard(.sample(clients: 5, at: now))
    let server = try StatusServer(at: .parse("http://127.0.0.1:0"), showing: board)
    let port = server.address.port
    let answers = try ["/", "/status.json"].map { path in
      let connection = try RawHTTP(port: port)
      connection.send("GET \(path) HTTP/1.1\r\nHost: localhost:\(port)\r\n\r\n")
      return try connection.everything()
    }
    let last = try LastWords(answers)
    let page = try Browser.open("http://127.0.0.1:\(last.port)", seconds: 6)
    #expect(page.text("lost")?.hasPrefix("connection lost since ") == true)
    #expect(!page.document.contains("id=\"lost\" role=\"alert\" hidden"))
    #expect(page.text("round") == "round 37 of 50")
    #expect(page.requests.count > 2, "it has given up")
    withExtendedLifetime(server) {}
  }
}
