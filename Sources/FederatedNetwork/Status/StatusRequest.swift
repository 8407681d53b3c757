import CMicroHTTPD

/// What a browser asks of a status page.
struct StatusRequest {
  let method: String
  let path: String
  /// The `Host` that it names.
  let host: String?
  /// Which clients it asks for; nil where the question makes no sense.
  let selection: StatusJSON.Selection?

  /// What a connection has said.
  init(_ connection: OpaquePointer?, method: UnsafePointer<CChar>?, path: UnsafePointer<CChar>?) {
    func value(_ kind: MHD_ValueKind, _ name: String) -> String? {
      MHD_lookup_connection_value(connection, kind, name).map { String(cString: $0) }
    }
    func argument(_ name: String) -> String? { value(.GET_ARGUMENT_KIND, name) }
    self.method = method.map { String(cString: $0) } ?? ""
    self.path = path.map { String(cString: $0) } ?? ""
    host = value(.HEADER_KIND, "Host")
    selection = StatusRequest.selection(state: argument("state"), from: argument("from"), count: argument("count"))
  }

  private static func selection(state: String?, from: String?, count: String?) -> StatusJSON.Selection? {
    var selection = StatusJSON.Selection()
    if let state {
      guard let known = ClientStatus.State(rawValue: state) else { return nil }
      selection.state = known
    }
    if let from {
      guard let number = Int(from), number >= 0 else { return nil }
      selection.from = number
    }
    if let count {
      guard let number = Int(count), number >= 0 else { return nil }
      selection.count = number
    }
    return selection
  }
}
