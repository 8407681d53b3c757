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

  /// The name of its tensor in downloads.
  var tensor: String { "block/\(name)" }
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
  /// Nothing that matters, but for what configuration and seed say.
  case whole
  /// What clients were sent in the round before; there is none before the first.
  case step
}

extension Broadcast {
  /// Name of the model's tensor in downloads.
  static let modelTensor = "model"
  /// Name of the tensor of the scalars that clients do not share: each begins with the initial model's.
  static let ownTensor = "own"

  /// All of it as tensors that travel: the shared scalars of the model, the blocks, and in a whole download also the scalars that
  /// each client begins with and keeps, where those do not follow from the seed.
  func parts(_ plan: FederatedPlan, _ kind: DownloadKind) -> [SafetensorsWriter.Part] {
    modelParts(plan, kind) + blockParts(plan)
  }

  /// What is sent of the model, as tensors.
  func modelParts(_ plan: FederatedPlan, _ kind: DownloadKind) -> [SafetensorsWriter.Part] {
    packed(plan.shared, Broadcast.modelTensor)
      + (plan.sendsOwn(kind) ? packed(plan.shared.others, Broadcast.ownTensor) : [])
  }

  /// The blocks that take bytes on the wire, as tensors.
  func blockParts(_ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    zip(plan.blocks, blocks).filter { $0.0.bytes > 0 }.map { block, storage in
      SafetensorsWriter.Part(name: block.tensor, shape: [block.count], floats: storage.base)
    }
  }

  /// All of it ← tensors, once all are there.
  func take(_ download: SafetensorsView, _ plan: FederatedPlan, _ kind: DownloadKind) throws(DataError) {
    let found = try model(in: download, plan, kind) + blocks(in: download, plan)
    for (target, source) in found { UnsafeMutableRawBufferPointer(target).copyMemory(from: source) }
  }

  /// The blocks ← tensors, once all are there.
  func takeBlocks(_ download: SafetensorsView, _ plan: FederatedPlan) throws(DataError) {
    for (target, source) in try blocks(in: download, plan) {
      UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
    }
  }

  /// Scalars with the tensor that belongs there.
  typealias Found = (UnsafeMutableBufferPointer<Float>, UnsafeRawBufferPointer)

  /// What is sent of the model.
  func model(
    in download: SafetensorsView, _ plan: FederatedPlan, _ kind: DownloadKind
  ) throws(DataError) -> [Found] {
    try tensors(download, plan.shared, Broadcast.modelTensor)
      + (plan.sendsOwn(kind) ? tensors(download, plan.shared.others, Broadcast.ownTensor) : [])
  }

  private func blocks(in download: SafetensorsView, _ plan: FederatedPlan) throws(DataError) -> [Found] {
    var found: [Found] = []
    for (block, storage) in zip(plan.blocks, blocks) where block.bytes > 0 {
      found.append((storage.scalars, try download.bytes(block.tensor, .float32, count: block.count)))
    }
    return found
  }

  private func packed(_ scalars: SharedScalars, _ name: String) -> [SafetensorsWriter.Part] {
    scalars.stretches(of: model).enumerated().map { index, stretch in
      SafetensorsWriter.Part(
        name: "\(name)/\(index)", shape: [stretch.count], floats: stretch.baseAddress.unsafelyUnwrapped)
    }
  }

  private func tensors(
    _ download: SafetensorsView, _ scalars: SharedScalars, _ name: String
  ) throws(DataError) -> [Found] {
    var found: [Found] = []
    for (index, stretch) in scalars.stretches(of: model).enumerated() {
      found.append((stretch, try download.bytes("\(name)/\(index)", .float32, count: stretch.count)))
    }
    return found
  }
}
