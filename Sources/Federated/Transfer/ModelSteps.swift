import Compression
import Datasets
import Tensors

/// The messages that move the model that clients know, at the server and at clients: ŵ ← ŵ + C(w − ŵ).
final class ModelSteps {
  private let messages: ChangeMessages
  private let shared: SharedScalars
  private let key: (seed: UInt64, client: Int)
  private let change: Storage

  private static let tensor = "change"

  init(_ choice: CompressorChoice, _ task: FederatedTask, _ plan: FederatedPlan) {
    messages = ChangeMessages(choice, task, plan)
    shared = plan.shared
    // The number that no client has.
    key = (task.seed, task.partition.clients)
    change = Storage(zeros: plan.shared.count)
  }

  /// Beside those of uploads.
  private func key(_ round: Int) -> CompressionKey {
    CompressionKey(seed: key.seed, step: round, worker: key.client, bucket: messages.count)
  }

  /// Moves a model towards another by the messages of a round.
  func move(_ known: ParameterStore, towards model: ParameterStore, round: Int) {
    shared.difference(of: model, from: known, into: change.base)
    messages.replace(change.base, key: key(round))
    shared.add(change.base, to: known)
  }

  /// The messages of the last move as they travel.
  var packed: SafetensorsWriter.Part { messages.packed(ModelSteps.tensor) }

  /// The change by the messages of a round; ``move(_:)`` adds it.  Throws for what no server makes.
  func take(_ download: SafetensorsView, round: Int) throws(DataError) {
    try messages.take(ModelSteps.tensor, from: download, key: key(round), into: change.base)
  }

  /// Moves a model by what was taken.
  func move(_ known: ParameterStore) { shared.add(change.base, to: known) }
}
