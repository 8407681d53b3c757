import Federated
import Glibc

/// A TCP socket that listens at exactly one address.
struct ListeningSocket: Sendable {
  /// The descriptor; whoever takes the socket closes it.
  let descriptor: Int32
  /// Where it listens, the port being the one that was given out where any was asked for.
  let address: StatusAddress

  /// Listens. Throws `.usage` for a host that is none, `.refused` where the system does not let it.
  init(_ address: StatusAddress) throws(FederatedError) {
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let failure = getaddrinfo(address.host, "\(address.port)", &hints, &list)
    guard failure == 0 else {
      throw FederatedError(
        .usage, "--status \(address): no address of \(address.host): \(String(cString: gai_strerror(failure)))")
    }
    defer { freeaddrinfo(list) }
    var reason: Int32 = 0
    var next = list
    while let found = next?.pointee {
      if let descriptor = ListeningSocket.listening(found) {
        self.descriptor = descriptor
        self.address = StatusAddress(host: address.host, port: ListeningSocket.port(of: descriptor))
        return
      }
      reason = errno
      next = found.ai_next
    }
    throw FederatedError(
      .refused,
      "cannot serve the status page at \(address): \(String(cString: strerror(reason))); give --status another")
  }

  private static func listening(_ found: addrinfo) -> Int32? {
    let descriptor = socket(
      found.ai_family, found.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), found.ai_protocol)
    guard descriptor >= 0 else { return nil }
    var yes: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
    // Exactly this address: `::` is not also every IPv4 one.
    if found.ai_family == AF_INET6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, size) }
    if bind(descriptor, found.ai_addr, found.ai_addrlen) == 0, listen(descriptor, SOMAXCONN) == 0 { return descriptor }
    let reason = errno
    close(descriptor)
    errno = reason
    return nil
  }

  private static func port(of descriptor: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
      // The port stands at the same place for both families.
      return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
    }
  }
}
