import Federated

/// What a server needs beside the federation.
public struct ServerOptions: Sendable {
  /// Where it listens: `tcp://HOST:PORT`, port 0 for any.
  public var address: String
  /// Its own keys and whom it admits; nil for connections that nobody encrypts.
  public var keys: (server: KeyPair, clients: [[UInt8]: Int])?
  /// What it runs, which clients are told.
  public var program: String
  /// A descriptor that becomes readable when it is to stop.
  public var stop: Int32
  /// Where it shows what its clients do; nil where nobody looks.
  public var board: StatusBoard?
  /// Lines for the log.
  public var log: @Sendable (String) -> Void

  /// A server's options.
  public init(
    address: String, keys: (server: KeyPair, clients: [[UInt8]: Int])?, program: String, stop: Int32,
    board: StatusBoard? = nil, log: @escaping @Sendable (String) -> Void
  ) {
    self.address = address
    self.keys = keys
    self.board = board
    self.program = program
    self.stop = stop
    self.log = log
  }
}

/// What a server trains, as it tells clients.
public struct FederationDescription: Sendable {
  /// The configuration as YAML, without what is the server's own.
  public let task: [UInt8]
  /// Which federation it is: SHA-256 of the task, in hexadecimal.
  public let identity: String
  /// Clients there are.
  public let clients: Int
  /// Updates that a round needs at most; nil for those of all who are asked.
  public let wanted: Int?
  /// How rounds go.
  public let network: NetworkOptions

  /// Describes a federation.
  public init(task: String, clients: Int, wanted: Int?, network: NetworkOptions) {
    self.task = Array(task.utf8)
    identity = Digests.sha256(self.task)
    self.clients = clients
    self.wanted = wanted
    self.network = network
  }
}
