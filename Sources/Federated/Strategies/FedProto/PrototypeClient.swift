import Datasets
import Tensors

/// FedProto's client: a model of its own, drawn to the server's prototypes, and the mean embeddings of its classes.
final class PrototypeClient: ClientHalf {
  private let table: ClassTable
  private let model: SharedScalars
  private let source: any DataSource
  private let batch: Batch
  /// Σz of each class, then how many.
  private var sums: [Double]
  private lazy var wire = table.wireMemory

  /// Samples that are embedded at a time.
  private static let chunk = 64

  init(_ task: FederatedTask) {
    table = ClassTable(task)
    model = SharedScalars(task.layout)
    source = task.training.unaugmented
    batch = Batch(capacity: min(PrototypeClient.chunk, max(1, task.partition.largest)), of: source)
    sums = Array(repeating: 0, count: table.count)
  }

  func update(_ visit: ClientVisit) {
    recall(visit)
    visit.trainer.table = visit.broadcast.blocks[0]
    var update = OptimizerUpdate(visit.trainer, NoCorrection())
    visit.train(visit.trainer.model, &update)
    if let state = visit.state.baseAddress { model.gather(visit.trainer.model, into: state) }
    upload(visit)
  }

  func packed(_ visit: ClientVisit) -> [SafetensorsWriter.Part] {
    visit.upload.scalars(0).baseAddress.map { table.packed($0, all: false, in: wire) } ?? []
  }

  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    let model = try broadcast.model(in: download, plan, kind)
    try table.take(download, all: true, into: broadcast.blocks[0].base)
    for (target, source) in model { UnsafeMutableRawBufferPointer(target).copyMemory(from: source) }
  }

  func personal(_ visit: ClientVisit) -> ParameterStore {
    recall(visit)
    return visit.trainer.model
  }

  /// The trainer's model ← the client's own, the initial one at first.
  private func recall(_ visit: ClientVisit) {
    if visit.isKnown, let state = visit.state.baseAddress {
      model.scatter(state, into: visit.trainer.model)
    } else {
      model.copy(visit.broadcast.model, into: visit.trainer.model)
    }
  }

  /// Part 0 of the upload ← the mean embeddings of the client's classes.
  private func upload(_ visit: ClientVisit) {
    for place in sums.indices { sums[place] = 0 }
    let samples = visit.trainer.samples
    var first = 0
    while first < samples.count {
      let end = min(first + batch.capacity, samples.count)
      batch.fill(from: source, samples: samples[first..<end], epoch: 0)
      _ = visit.trainer.evaluate(batch, visit.trainer.model)
      let embeddings = visit.trainer.evaluationResult(0)
      for row in 0..<batch.count {
        let start = table.row(Int(batch.targetClasses[row]))
        for i in 0..<table.width { sums[start + i] += Double(embeddings[row * table.width + i]) }
        sums[start + table.width] += 1
      }
      first = end
    }
    let means = visit.upload.scalars(0)
    var held = 0
    for label in 0..<table.classes {
      let start = table.row(label)
      let count = sums[start + table.width]
      for i in 0..<table.width { means[start + i] = count > 0 ? Float(sums[start + i] / count) : 0 }
      means[start + table.width] = count > 0 ? 1 : 0
      held += count > 0 ? 1 : 0
    }
    visit.wireBytes = table.bytes(of: held)
  }

  /// The cross-entropy of the model's outputs, and the samples whose nearest prototype is that of their class; none without
  /// prototypes.
  func evaluate(_ batch: Batch, _ model: ParameterStore, _ visit: ClientVisit) -> Evaluation {
    var evaluation = visit.trainer.evaluate(batch, model)
    evaluation.correct = 0
    let prototypes = visit.broadcast.blocks[0].base
    guard let embeddings = visit.trainer.evaluationResult(0).baseAddress else { return evaluation }
    let known = (0..<table.classes).filter { prototypes[table.row($0) + table.width] != 0 }
    let squares = known.map { Reductions.squares(prototypes + table.row($0), table.width) }
    for row in 0..<batch.count {
      let embedding = embeddings + row * table.width
      // ‖z − c‖² is ‖z‖² less the score; the first of several wins.
      var (best, nearest) = (-Double.infinity, -1)
      for (place, label) in known.enumerated() {
        let score = 2 * Reductions.dot(embedding, prototypes + table.row(label), table.width) - squares[place]
        if score > best { (best, nearest) = (score, label) }
      }
      if nearest == Int(batch.targetClasses[row]) { evaluation.correct += 1 }
    }
    return evaluation
  }
}
