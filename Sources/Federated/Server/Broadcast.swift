import Datasets
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

/// What a client had before a download.
public enum DownloadKind: String, Sendable, Hashable, Codable, CaseIterable {
  /// Nothing that matters.
  case whole
  /// What clients were sent in the round before.
  case step
}

extension Broadcast {
  /// Name of the model's tensor in downloads.
  static let modelTensor = "model"
  /// Name of the tensor of the scalars that clients do not share: each begins with the initial model's.
  static let ownTensor = "own"

  /// All of it as tensors that travel: the shared scalars of the model, those that each client begins with and keeps, and the
  /// blocks.
  func parts(_ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    packed(plan.shared, Broadcast.modelTensor) + packed(plan.shared.others, Broadcast.ownTensor)
      + zip(plan.blocks, blocks).filter { $0.0.count > 0 }.map { block, storage in
        SafetensorsWriter.Part(name: "block/\(block.name)", shape: [block.count], floats: storage.base)
      }
  }

  /// All of it ← tensors.
  func take(_ download: SafetensorsView, _ plan: FederatedPlan) throws(DataError) {
    try take(download, plan.shared, Broadcast.modelTensor)
    try take(download, plan.shared.others, Broadcast.ownTensor)
    for (block, storage) in zip(plan.blocks, blocks) where block.count > 0 {
      try download.copy("block/\(block.name)", into: storage.scalars)
    }
  }

  private func packed(_ scalars: SharedScalars, _ name: String) -> [SafetensorsWriter.Part] {
    scalars.stretches(of: model).enumerated().map { index, stretch in
      SafetensorsWriter.Part(
        name: "\(name)/\(index)", shape: [stretch.count], floats: stretch.baseAddress.unsafelyUnwrapped)
    }
  }

  private func take(_ download: SafetensorsView, _ scalars: SharedScalars, _ name: String) throws(DataError) {
    for (index, stretch) in scalars.stretches(of: model).enumerated() {
      try download.copy("\(name)/\(index)", into: stretch)
    }
  }
}
