import Configuration
import Federated
import FederatedNetwork
import Training

/// `nndist client CONFIG`: one client of a federation whose server is elsewhere.
enum Client: Verb {
  static let name = "client"
  static let usage = "client CONFIG --connect tcp://HOST:PORT --client K"
  static let summary = "takes part in a federation that nndist server serves elsewhere"
  static let client = Flag("--client", "K", "which client it is, from 0")
  static let data = Flag("--data", "PATH", "its own data; without it client K has partition K of the server's data set")
  static let keys = Flag("--keys", "DIR", "folder with clients/K.secret and server.public, made by nndist keys")
  static let patience = Flag("--patience", "SECONDS", "time without a server after which it gives up (default 600)")
  static let flags =
    [NetworkAddress.connect, client, data, keys, NetworkAddress.insecure, patience] + TrainingRun.flags

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    StopSignal.install()
    let run = try ClientRun(arguments)
    PreparedRun.report(try run.run(), arguments)
    return .done
  }
}
