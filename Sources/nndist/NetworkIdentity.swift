import FederatedNetwork
import Training

/// Who a server or a client is, from its key folder; nil where connections go without keys.
enum NetworkIdentity {
  /// A server's keys and whom it admits.
  static func server(_ arguments: Arguments) throws(RunError) -> (server: KeyPair, clients: [[UInt8]: Int])? {
    guard let folder = try folder(arguments, Server.keys, try NetworkAddress.listening(arguments)) else { return nil }
    do {
      let keys = try folder.server()
      return (keys.pair, keys.clients)
    } catch { throw RunError(error) }
  }

  /// A client's keys and whom it trusts.
  static func client(_ number: Int, _ arguments: Arguments) throws(RunError) -> ClientKeys? {
    guard let folder = try folder(arguments, Client.keys, try NetworkAddress.connecting(arguments)) else { return nil }
    do { return try folder.client(number) } catch { throw RunError(error) }
  }

  private static func folder(_ arguments: Arguments, _ flag: Flag, _ address: String) throws(RunError) -> KeyFolder? {
    guard let path = arguments.value(flag) else {
      if try NetworkAddress.isInsecure(arguments, address) { return nil }
      throw RunError(
        .usage, "\(flag.name) is missing: make keys with nndist keys DIR --clients N, or say --insecure on loopback")
    }
    guard !arguments.has(NetworkAddress.insecure) else {
      throw RunError(.usage, "\(flag.name) and --insecure: give one of them")
    }
    return KeyFolder(path)
  }
}
