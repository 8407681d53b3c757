import Datasets
import Federated

/// What the server does with its clients while it waits for updates: a round of a cohort, or a buffer that is to be filled.
protocol Exchange: AnyObject {
  /// Rounds before it.
  var index: Int { get }
  /// Whose updates were taken, in order of arrival, and which round, or version, their clients trained in.
  var accepted: [(peer: Peer, round: Int)] { get }
  /// Whether the round may be concluded.
  var isOver: Bool { get }

  /// Seconds until something has to be looked at without a message; nil for none.
  func secondsLeft() -> Double?
  /// A client can be asked; `isNew` where another process speaks for it than before.
  func ready(_ peer: Peer, isNew: Bool)
  /// The download that a client fetches.
  func download(_ header: Header, _ peer: Peer) -> SharedBytes?
  /// Whether a client's message is about what it was asked for.
  func isExpected(_ header: Header, of peer: Peer) -> Bool
  /// Takes a message about that.
  func handle(_ header: Header, _ body: Frame?, of peer: Peer)
  /// Tells those whose part is over.
  func end()
}
