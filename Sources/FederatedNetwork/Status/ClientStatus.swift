/// What a server knows of a client, for people who watch.
public struct ClientStatus: Sendable, Hashable {
  /// What a client is doing, as far as the server knows.
  public enum State: String, Sendable, Hashable, CaseIterable {
    /// Not connected.
    case offline
    /// Connected, without a task.
    case online
    /// Chosen for the running round; has not asked for its task.
    case selected
    /// Is being sent the model.
    case downloading
    /// Has the model and computes.
    case training
    /// Is sending its update.
    case uploading
    /// Its update of this round was taken.
    case done
    /// Its update of this round was refused, or it declined the round.
    case rejected
    /// Its update came after the round's end, or is overdue.
    case late
  }

  /// Its number, from 0.
  public var number: Int
  /// What it calls itself; any text, empty where it says nothing.
  public var name = ""
  /// Where it connects from; empty where that is unknown.
  public var address = ""
  /// What it is doing.
  public var state = State.offline
  /// Rounds that it ended with an update, taken or not.
  public var rounds = 0
  /// Its updates that were taken.
  public var accepted = 0
  /// Its updates that were refused.
  public var rejected = 0
  /// When its last message came, in seconds since 1970; nil before the first.
  public var lastSeen: Double?
  /// Payload that it sent, in bytes.
  public var bytesUp = 0
  /// Payload that was sent to it, in bytes.
  public var bytesDown = 0
  /// What is to be said about it, such as why its last update was refused.
  public var remark = ""

  /// A client of which nothing has been heard.
  public init(number: Int) { self.number = number }
}
