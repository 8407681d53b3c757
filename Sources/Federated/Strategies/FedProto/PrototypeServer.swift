import Datasets
import Tensors

/// FedProto's server: the mean of each class's prototypes over the clients that hold it.
final class PrototypeServer: ServerHalf {
  private let table: ClassTable
  private let prototypes: Storage

  init(_ task: FederatedTask, _ prototypes: Storage) {
    table = ClassTable(task)
    self.prototypes = prototypes
  }

  private lazy var wire = table.wireMemory

  func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    sent.modelParts(plan, kind) + table.packed(sent.blocks[0].base, all: true, in: wire)
  }

  func unpack(_ packed: SafetensorsView, samples: Int, into upload: Upload) throws(DataError) {
    guard let means = upload.scalars(0).baseAddress else { return }
    try table.take(packed, all: false, into: means)
  }

  var results: [Storage] { [prototypes] }

  func combine(_ outcome: RoundOutcome) {
    // Means over all clients, in which those without a class count as zeros.
    let means = outcome.mean(0)
    for label in 0..<table.classes {
      let start = table.row(label)
      let share = Double(means[start + table.width])
      if share == 0 { continue }
      for i in start..<start + table.width { prototypes.base[i] = Float(Double(means[i]) / share) }
      prototypes.base[start + table.width] = 1
    }
  }
}
