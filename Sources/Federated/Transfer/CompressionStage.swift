import Compression
import Datasets
import Tensors

/// What compression makes of a client's change: the change is replaced by what the server decodes.
///
/// Where the compressor keeps what it leaves out, that is the client's own, added to its next change (``ErrorFeedback``):
/// Σ sent + residual = Σ changes.  An update that is rejected leaves the residual as it was.
final class CompressionStage: UploadStage {
  private let messages: ChangeMessages
  private let keepsRest: Bool
  private let part: Int
  private let seed: UInt64

  init(_ choice: CompressorChoice, _ task: FederatedTask, _ plan: FederatedPlan) {
    messages = ChangeMessages(choice, task, plan)
    keepsRest = choice.keepsRest
    part = plan.changes[0]
    seed = task.seed
  }

  func apply(_ visit: ClientVisit, _ record: inout VisitRecord) {
    guard let change = visit.upload.scalars(part).baseAddress else { return }
    messages.replace(change, residual: keepsRest ? visit.residual.baseAddress : nil, key: key(visit))
  }

  private func key(_ visit: ClientVisit) -> CompressionKey {
    CompressionKey(seed: seed, step: visit.round, worker: visit.client)
  }

  // MARK: Uploads that travel

  /// The upload of the last visit: the messages of its change, all else as it is.
  func packed(_ upload: Upload) -> [SafetensorsWriter.Part] {
    upload.parts.indices.map { $0 == part ? messages.packed(upload.parts[$0].name) : upload.packed($0) }
  }

  /// The upload of a visit ← what ``packed(_:)`` has made of a client's.
  func unpack(_ packed: SafetensorsView, into visit: ClientVisit) throws(DataError) {
    for other in visit.upload.parts.indices where other != part { try visit.upload.copy(other, from: packed) }
    guard let change = visit.upload.scalars(part).baseAddress else { return }
    try messages.take(visit.upload.parts[part].name, from: packed, key: key(visit), into: change)
  }
}
