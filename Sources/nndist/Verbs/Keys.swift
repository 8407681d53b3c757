import Federated
import FederatedNetwork
import Reporting
import Training

/// `nndist keys DIR --clients N`: makes the keys by which a federated server and its clients know each other.
enum Keys: Verb {
  static let name = "keys"
  static let usage = "keys DIR --clients N"
  static let summary = "makes the keys by which a federated server and its clients know each other"
  static let details = """
    DIR gets server.public, server.secret, and clients/K.public and clients/K.secret for clients 0 to N-1. No pair that exists \
    is changed: a larger N adds the clients that are missing.

    Who gets what:
      server     server.secret, clients/*.public
      client K   server.public, clients/K.secret, and for secure aggregation clients/*.public

    Keep these names below a folder of their own on every machine, and secrets readable by their owner alone (chmod 600). A \
    secret that has been handed out may be deleted from DIR. To shut a client out, delete its clients/K.public from the \
    server's folder and start the server again; its old secret stays shut out, also when nndist keys gives its number a new pair.

    Examples:
      nndist keys keys --clients 10
      tar -cf client3.tar -C keys server.public clients/3.secret
    """
  static let clients = Flag("--clients", "N", "how many clients there are to be")
  static let flags: [Flag] = [clients, .json, .quiet]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    guard let count = try arguments.integer(clients, in: 1...KeyFolder.maximumClients) else {
      throw RunError(.usage, "`nndist keys` needs --clients N: for how many clients")
    }
    let folder = KeyFolder(arguments.positional[0])
    let made: KeyFolder.Made
    do throws(FederatedError) {
      made = try folder.make(clients: count)
    } catch {
      throw RunError(error)
    }
    let serverPublic = KeyPair.text(of: made.serverPublic)
    if arguments.has(.json) {
      let object: JSONObject = [
        "verb": .text(name), "directory": .text(folder.path), "clients": .integer(count),
        "added": .integer(made.added), "server_public": .text(serverPublic),
      ]
      Output.line(object.text)
    } else if !arguments.has(.quiet) {
      Output.result(
        "keys",
        "\(folder.path): \(Numerals.plural(count, "client", grouped: true)), \(Numerals.grouped(made.added)) of them new"
      )
      Output.result("server", serverPublic)
      Output.result("hand out", "to client K " + KeyFolder.files(of: "K").joined(separator: ", "))
    }
    return .done
  }
}
