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
  private let steps: ModelSteps

  init(_ choice: CompressorChoice, _ task: FederatedTask, _ plan: FederatedPlan, of server: Broadcast) {
    self.server = server
    broadcast = Broadcast(ParameterStore(task.layout), sharing: server.blocks)
    self.plan = plan
    steps = ModelSteps(choice, task, plan)
  }

  var memory: [ServerMemory] {
    [
      ServerMemory("known-parameters", broadcast.model.parameters),
      ServerMemory("known-states", broadcast.model.states),
    ]
    .filter { $0.storage.count > 0 }
  }

  /// All of ŵ, or the messages that moved it before the present round, which is not the first.
  func download(_ kind: DownloadKind) -> [SafetensorsWriter.Part] {
    switch kind {
    case .whole: broadcast.parts(plan, kind)
    case .step: broadcast.blockParts(plan) + [steps.packed]
    }
  }

  /// Moves ŵ before a round.
  func begin(round: Int) {
    if round > 0 { return steps.move(broadcast.model, towards: server.model, round: round) }
    for (known, own) in [
      (broadcast.model.parameters, server.model.parameters), (broadcast.model.states, server.model.states),
    ] {
      known.base.update(from: own.base, count: own.count)
    }
  }
}
