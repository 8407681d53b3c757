import Datasets
import Tensors

/// What a server does with the uploads of a round.  Every rank has one and gives it the same sums, so that all hold the same.
public protocol ServerHalf: AnyObject {
  /// What it remembers beside the broadcast, for checkpoints.
  var memory: [ServerMemory] { get }
  /// Shared state that is part of the result beside the parameters, such as prototypes: what the digest goes on with.
  var results: [Storage] { get }
  /// What is worth telling after a round beside the usual, by name: a function of memory and broadcast.
  var metrics: [String: Double] { get }

  /// What comes before the first round, such as pruning: writes to broadcast and memory.  Only rank 0 does it, and only where
  /// no checkpoint is continued.
  func prepare(_ workers: Workers, _ note: (String) -> Void) throws(FederatedError)

  /// Moves the broadcast by what a round has brought.  Not called for a round without updates.
  func combine(_ outcome: RoundOutcome) throws(FederatedError)

  /// A round has brought nothing: the broadcast stays as it is, and so would a step that clients are sent.
  func skip()

  /// What a client is sent before a round, as it travels: as many bytes as the ledger counts.  A function of broadcast and
  /// ``memory``, so that a server that goes on from a checkpoint sends the same.  What the parts point to stays until the
  /// next call or round.
  func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part]

  /// Fills an upload by what ``ClientHalf/packed(_:)`` has made of that of a client with so many samples.  Throws for what no
  /// client makes: other shapes, missing tensors, numbers that stand for nothing.  Reads nothing outside of the tensors.
  func unpack(_ packed: SafetensorsView, samples: Int, into upload: Upload) throws(DataError)
}

extension ServerHalf {
  /// Nothing beside the broadcast.
  public var memory: [ServerMemory] { [] }
  /// Nothing beside the parameters.
  public var results: [Storage] { [] }
  /// Nothing beside the usual.
  public var metrics: [String: Double] { [:] }
  /// The shared scalars of the model and all blocks; in a whole one also what clients begin with and keep, where that does not
  /// follow from the seed.
  public func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    sent.parts(plan, kind)
  }
  /// Nothing to keep from clients.
  public func skip() {}
  /// The parts as they are.
  public func unpack(_ packed: SafetensorsView, samples: Int, into upload: Upload) throws(DataError) {
    try upload.copy(from: packed)
  }
  /// Nothing to prepare.
  public func prepare(_ workers: Workers, _ note: (String) -> Void) throws(FederatedError) {}
}

/// A named block of what a server remembers.
public struct ServerMemory {
  /// For example `momentum`.
  public let name: String
  /// Its scalars.
  public let storage: Storage

  /// A block under a name.
  public init(_ name: String, _ storage: Storage) {
    self.name = name
    self.storage = storage
  }
}

/// What a cohort's uploads came to, the same on every rank.
public final class RoundOutcome {
  /// Rounds before this one.
  public internal(set) var round = 0
  /// Clients whose update was taken.
  public internal(set) var updates = 0
  /// Their weights' sum.
  public internal(set) var weight = 0
  /// The learning rate of clients.
  public internal(set) var learningRate = 0.0
  let means: [Storage]
  var votes: [VoteSum?] = []
  var integers: [UnsafeMutableBufferPointer<Int64>?] = []

  init(_ parts: [UploadPart]) {
    means = parts.map { Storage(zeros: $0.kind == .change || $0.kind == .numbers ? $0.count : 0) }
  }

  /// The weighted mean of a part of Float32 scalars, noise included; or what a robust rule has made of it.
  public func mean(_ part: Int) -> UnsafeMutablePointer<Float> { means[part].base }

  /// The counted votes of a part.
  public func votes(_ part: Int) -> VoteSum {
    guard let votes = votes[part] else { preconditionFailure("part \(part) is no votes") }
    return votes
  }

  /// The sums of a part of integers.
  public func integers(_ part: Int) -> UnsafeMutableBufferPointer<Int64> {
    guard let integers = integers[part] else { preconditionFailure("part \(part) is no integers") }
    return integers
  }
}
