/// Which `Host` a request may name.
///
/// A page elsewhere can make a browser resolve its own name to this machine (DNS rebinding) and then read what it is served;
/// its requests still name that host. Addresses cannot be rebound.
struct HostRule: Sendable {
  /// What the page is bound to.
  let bound: StatusAddress

  /// Whether a request may say this; nil is a request that names no host.
  func allows(_ header: String?) -> Bool {
    guard let header, let (host, port) = HostRule.parts(header.lowercased()[...]), port == bound.port else {
      return false
    }
    if StatusAddress.isLoopback(host) || host == bound.host { return true }
    let isEverywhere = ["0.0.0.0", "::"].contains(bound.host)
    return isEverywhere && (StatusAddress.isIPv4(host) || host.contains(":"))
  }

  /// `HOST[:PORT]`, the port 80 where there is none.
  private static func parts(_ header: Substring) -> (host: String, port: UInt16)? {
    guard !header.isEmpty, header.first != ":" else { return nil }
    guard header.last != "]", let colon = header.lastIndex(of: ":") else {
      return StatusAddress.host(of: header).map { ($0, 80) }
    }
    guard let host = StatusAddress.host(of: header[..<colon]), let port = UInt16(header[header.index(after: colon)...])
    else { return nil }
    return (host, port)
  }
}
