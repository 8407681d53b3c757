import Federated

/// What a client needs beside its data.
public struct ClientOptions: Sendable {
  /// Where the server is: `tcp://HOST:PORT`.
  public var address: String
  /// Who it is.
  public var client: Int
  /// Its own keys and the server's public one; nil for a connection that nobody encrypts.
  public var keys: (own: KeyPair, server: [UInt8])?
  /// Public keys of other clients, by number: whom it believes in secure aggregation.
  public var others: [Int: [UInt8]] = [:]
  /// What it runs, which the server is told.
  public var program: String
  /// Seconds without a server after which it gives up.
  public var patience: Double
  /// A descriptor that becomes readable when it is to stop.
  public var stop: Int32
  /// Lines for the log.
  public var log: @Sendable (String) -> Void

  /// A client's options.
  public init(
    address: String, client: Int, keys: (own: KeyPair, server: [UInt8])?, program: String, patience: Double,
    stop: Int32, log: @escaping @Sendable (String) -> Void
  ) {
    self.address = address
    self.client = client
    self.keys = keys
    self.program = program
    self.patience = patience
    self.stop = stop
    self.log = log
  }
}

/// What a client has done when the federation is over.
public struct ClientSummary: Sendable, Hashable {
  /// Rounds of the federation.
  public var rounds = 0
  /// Visits that it trained.
  public var visits = 0
  /// Its updates that counted.
  public var updates = 0
  /// Its updates that did not: rejected, late, or of a round that had too few.
  public var dropped = 0
  /// Payload bytes that it has sent.
  public var bytesUp = 0
  /// Payload bytes that it was sent.
  public var bytesDown = 0
  /// Samples that it trained on, each as often as it was.
  public var samples = 0
  /// Steps that it made.
  public var steps = 0
  /// The mean loss of its last visit; nil before.
  public var loss: Double?
  /// SHA-256 of the federation's result.
  public var digest = ""

  /// Nothing yet.
  public init() {}
}
