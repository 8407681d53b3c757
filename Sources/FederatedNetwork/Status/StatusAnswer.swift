/// What a status page answers to a request.
struct StatusAnswer {
  let code: UInt32
  let contentType: String
  let body: String
  var headers: [(name: String, value: String)] = []

  /// The answer to a request about a status at a time.
  static func to(
    _ request: StatusRequest, hosts: HostRule, at now: Double, _ status: () -> FederationStatus
  ) -> StatusAnswer {
    guard hosts.allows(request.host) else {
      return refusal(421, "this page is \(hosts.bound), and answers to no other name")
    }
    guard ["GET", "HEAD"].contains(request.method) else {
      var answer = refusal(405, "this page is read only: GET and HEAD")
      answer.headers.append(("Allow", "GET, HEAD"))
      return answer
    }
    switch request.path {
    case "/":
      var answer = StatusAnswer(code: 200, contentType: "text/html; charset=utf-8", body: StatusPage.html)
      answer.headers.append(("Content-Security-Policy", StatusPage.contentSecurityPolicy))
      return answer
    case "/status.json":
      guard let selection = request.selection else {
        return refusal(400, "of clients one can ask ?state=STATE&from=NUMBER&count=NUMBER")
      }
      return StatusAnswer(
        code: 200, contentType: "application/json", body: StatusJSON.text(of: status(), at: now, selection))
    case "/metrics":
      return StatusAnswer(
        code: 200, contentType: StatusMetrics.contentType, body: StatusMetrics.text(of: status(), at: now))
    default:
      return refusal(404, "there are /, /status.json and /metrics")
    }
  }

  /// A line about what cannot be answered.
  private static func refusal(_ code: UInt32, _ line: String) -> StatusAnswer {
    StatusAnswer(code: code, contentType: "text/plain; charset=utf-8", body: line + "\n")
  }

  /// What every answer says: nothing is kept, guessed or read by other sites, and what else comes on the connection is not read.
  static let commonHeaders = [
    ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"), ("Connection", "close"),
  ]
}
