import Compression
import Tensors

/// What compression makes of a client's change: the change is replaced by what the server decodes.
///
/// Where the compressor keeps what it leaves out, that is the client's own, added to its next change (``ErrorFeedback``):
/// Σ sent + residual = Σ changes.  An update that is rejected leaves the residual as it was.
final class CompressionStage: UploadStage {
  private let compressor: any Compressor
  private let keepsRest: Bool
  private let pieces: ChangePieces
  private let part: Int
  private let seed: UInt64
  private let message: UnsafeMutableRawPointer

  init(_ choice: CompressorChoice, _ task: FederatedTask, _ plan: FederatedPlan) {
    pieces = ChangePieces(plan, task)
    compressor = choice.make(pieces.longest)
    keepsRest = choice.keepsRest
    part = plan.changes[0]
    seed = task.seed
    message = .allocate(byteCount: max(1, pieces.largestMessage(compressor)), alignment: 64)
  }

  deinit { message.deallocate() }

  func apply(_ visit: ClientVisit, _ record: inout VisitRecord) {
    guard let change = visit.upload.scalars(part).baseAddress else { return }
    for (index, range) in pieces.ranges.enumerated() {
      let scalars = change + range.lowerBound
      let key = CompressionKey(seed: seed, step: visit.round, worker: visit.client, bucket: index)
      if keepsRest, let residual = visit.residual.baseAddress {
        ErrorFeedback.encode(
          scalars, residual: residual + range.lowerBound, count: range.count, with: compressor, key: key, into: message)
      } else {
        compressor.encode(scalars, count: range.count, key: key, into: message)
      }
      compressor.decode(message, count: range.count, into: scalars)
    }
  }
}
