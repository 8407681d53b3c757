import Compression
import Datasets
import Tensors

/// The model as clients know it where downloads are compressed: ŵ ← ŵ + C(w − ŵ) before every round but the first, so that what
/// a message leaves out is in the next one (Tang, Yu, Lian, Zhang, Liu, ICML 2019, "DoubleSqueeze", at the server's side; as a
/// difference: Mishchenko, Gorbunov, Takáč, Richtárik 2019).
///
/// Clients train from ŵ and upload how they change it; the server moves w, which is what is evaluated.  The first round has
/// ŵ = w.  A client that took part in the round before is sent the messages, others all of ŵ.
final class KnownModel {
  /// What clients are sent: ŵ, and the server's own blocks.
  let broadcast: Broadcast
  private let server: Broadcast
  private let plan: FederatedPlan
  private let pieces: ChangePieces
  private let compressor: any Compressor
  private let key: (seed: UInt64, client: Int)
  private let change: Storage
  private let message: UnsafeMutableRawPointer

  init(_ choice: CompressorChoice, _ task: FederatedTask, _ plan: FederatedPlan, of server: Broadcast) {
    self.server = server
    broadcast = Broadcast(ParameterStore(task.layout), sharing: server.blocks)
    self.plan = plan
    pieces = ChangePieces(plan, task)
    compressor = choice.make(pieces.longest)
    // The number that no client has.
    key = (task.seed, task.partition.clients)
    change = Storage(zeros: plan.shared.count)
    message = .allocate(byteCount: max(1, pieces.largestMessage(compressor)), alignment: 64)
  }

  deinit { message.deallocate() }

  var memory: [ServerMemory] {
    [
      ServerMemory("known-parameters", broadcast.model.parameters),
      ServerMemory("known-states", broadcast.model.states),
    ]
    .filter { $0.storage.count > 0 }
  }

  /// All of ŵ; the messages that move it are not kept.
  func download(_ kind: DownloadKind) -> [SafetensorsWriter.Part] { broadcast.parts(plan) }

  /// Moves ŵ before a round.
  func begin(round: Int) {
    if round == 0 {
      for (known, own) in [
        (broadcast.model.parameters, server.model.parameters), (broadcast.model.states, server.model.states),
      ] {
        known.base.update(from: own.base, count: own.count)
      }
      return
    }
    plan.shared.difference(of: server.model, from: broadcast.model, into: change.base)
    for (index, range) in pieces.ranges.enumerated() {
      let scalars = change.base + range.lowerBound
      compressor.encode(
        scalars, count: range.count,
        key: CompressionKey(seed: key.seed, step: round, worker: key.client, bucket: pieces.ranges.count + index),
        into: message)
      compressor.decode(message, count: range.count, into: scalars)
    }
    plan.shared.add(change.base, to: broadcast.model)
  }
}
