import FederatedNetwork
import Training

/// Who a server and a client are, from their key folders.
enum ServerIdentity {
  /// A server's keys and whom it admits; nil where nobody is asked for keys.
  static func read(_ arguments: Arguments) throws(RunError) -> (server: KeyPair, clients: [[UInt8]: Int])? {
    if try NetworkAddress.isInsecure(arguments, try NetworkAddress.listening(arguments)) { return nil }
    guard arguments.value(Server.keys) != nil else {
      throw RunError(
        .usage, "--keys is missing: make keys with nndist keys DIR --clients N, or say --insecure on loopback")
    }
    return nil
  }
}
