import Tensors

/// One of the vectors that clients are sent beside the model.
public struct BroadcastBlock: Sendable, Hashable {
  /// What it is called on the wire and in checkpoints.
  public let name: String
  /// Scalars.
  public let count: Int
  /// Bytes that it takes on the wire.
  public let bytes: Int

  /// A vector; `bytes` where they are not four a scalar.
  public init(_ name: String, count: Int, bytes: Int? = nil) {
    self.name = name
    self.count = count
    self.bytes = bytes ?? 4 * count
  }
}

/// What clients start a round from: the server writes it, clients read it.  All of it goes into checkpoints.
public final class Broadcast: Sendable {
  /// The model: effective weights, those that are evaluated and that the digest covers.
  public let model: ParameterStore
  /// What the plan declares beside it, in order.
  public let blocks: [Storage]

  /// A model with zeros beside it.
  public init(_ model: ParameterStore, _ blocks: [BroadcastBlock]) {
    self.model = model
    self.blocks = blocks.map { Storage(zeros: $0.count) }
  }

  /// Another model with the same blocks beside it.
  init(_ model: ParameterStore, sharing blocks: [Storage]) {
    self.model = model
    self.blocks = blocks
  }
}
