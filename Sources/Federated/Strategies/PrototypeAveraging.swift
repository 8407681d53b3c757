import Configuration
import Datasets
import Glibc
import Layers
import Tensors

/// Prototype averaging (R. Logan et al., "Federated Reconnaissance", 2021): the server trains an encoder by episodes before
/// the first round; clients embed their samples with it and upload, for each of their classes, the sum of embeddings and how
/// many there were; a sample belongs to the class whose mean is nearest.
///
/// Sums are integers in one scale, so that the server's prototypes are those of the pooled samples to the bit, whatever the
/// clients, the rounds and the order; the paper's clients upload a mean that the server's own went into, which would count
/// twice.  A client brings each sample once, in all its rounds together.  Nothing else is trained.  Without the section
/// `encoder` the encoder's weights are those of `model.weights`.
///
/// Upload: 4 + 8 · (width + 1) bytes for each class of the client.  Download: 4 · (width + 1) bytes for each class, and the
/// encoder once.
public struct PrototypeAveraging: FederatedStrategy {
  /// The name in configurations.
  public static let name = "prototypes"
  /// What it does.
  public static let help = "remembers classes by the exact means of their embeddings; the server trains the encoder"
  private let encoder: EncoderOptions?
  private let missions: Missions?

  /// Embeddings.
  public var makesEmbeddings: Bool { true }

  /// Reads the sections `encoder` and `missions`.
  public init(options: inout Options) throws(ConfigurationError) {
    let hasEncoder = options.has("encoder") || options.isDocumenting
    encoder = try options.section(
      "encoder", "how the server trains the encoder before the first round; without it it takes model.weights"
    ) { (options) throws(ConfigurationError) in hasEncoder ? try EncoderOptions(&options) : nil }
    // What is not there stays so where the resolved configuration is read again.
    if !hasEncoder { options.resolve("encoder", as: .null) }
    let hasMissions = options.has("missions") || options.isDocumenting
    missions = try options.section(
      "missions", "what a client brings in a round; without it, all of its samples in its first"
    ) { (options) throws(ConfigurationError) in
      guard hasMissions else { return nil }
      return Missions(
        classes: try options.integer("classes", default: 5, in: 1...1 << 20, unit: "classes", "classes of a mission"),
        shots: try options.integer(
          "shots", default: 30, in: 1...1 << 20, unit: "samples", "samples of each of them at most"))
    }
    if !hasMissions { options.resolve("missions", as: .null) }
  }

  /// Sums and counts for all classes up, prototypes and counts down; each client remembers how often it has been there.
  public func plan(_ task: FederatedTask) throws(FederatedError) -> FederatedPlan {
    guard let classes = task.training.classCount, task.training.targetShape.count == 1 else {
      throw FederatedError(.configuration, "federated.strategy prototypes needs data with one class a sample")
    }
    let words = PrototypeMemory.wordCount(classes: classes, width: task.model.output.shape.count)
    var plan = FederatedPlan(
      shared: SharedScalars(task.layout), uploads: [UploadPart("prototypes", .integers, count: words)],
      blocks: [BroadcastBlock("prototypes", count: words)], stateCount: 1)
    // The encoder does not change any more.
    plan.downloadBytes.follower = plan.blocks[0].bytes
    return plan
  }

  /// Embeds.
  public func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf {
    ReconnaissanceClient(task, missions)
  }

  /// Merges.
  public func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
    ReconnaissanceServer(task, encoder, broadcast)
  }
}

/// A client that uploads what it has not yet uploaded.
private final class ReconnaissanceClient: ClientHalf {
  private let task: FederatedTask
  private let missions: Missions?
  private let embedder: Embedder
  /// A view of the upload.
  private var memory: PrototypeMemory?
  private lazy var wire = PrototypeWire(classes: task.training.classCount ?? 0, width: embedder.width)

  init(_ task: FederatedTask, _ missions: Missions?) {
    self.task = task
    self.missions = missions
    embedder = Embedder(task.model, of: task.training.unaugmented, task.compute)
  }

  func update(_ visit: ClientVisit) {
    let memory =
      memory
      ?? PrototypeMemory(
        classes: task.training.classCount ?? 0, width: embedder.width, words: visit.upload.integers(0), of: visit.upload
      )
    self.memory = memory
    memory.clear()
    let samples = fresh(visit, visits: Int(visit.state[0]))
    embedder.forEach(samples[...], visit.broadcast.model) { _, label, embedding in
      // An embedding that is no number, or out of range, is left out.
      _ = memory.add(embedding, to: label)
    }
    visit.state[0] += 1
    visit.wireBytes = memory.uploadBytes
  }

  func packed(_ visit: ClientVisit) -> [SafetensorsWriter.Part] { wire.packed(visit.upload.integers(0)) }

  func take(
    _ download: SafetensorsView, _ kind: DownloadKind, into broadcast: Broadcast, _ plan: FederatedPlan
  ) throws(DataError) {
    switch kind {
    case .whole: try broadcast.take(download, plan, kind)
    case .step: try broadcast.takeBlocks(download, plan)
    }
  }

  /// Samples that have not been brought in so many visits.
  private func fresh(_ visit: ClientVisit, visits: Int) -> [Int32] {
    guard let missions else { return visits == 0 ? visit.trainer.samples : [] }
    return missions.samples(visits, client: visit.client, of: visit.trainer.samples, seed: task.seed) { [task] in
      task.training.label(Int($0)) ?? 0
    }
  }

  /// The encoder is everybody's.
  func personal(_ visit: ClientVisit) -> ParameterStore { visit.broadcast.model }

  /// Cross entropy over minus squared distances to all prototypes there are.  A sample of a class that nobody has brought is
  /// wrong, and its loss is that of a guess among all classes.
  func evaluate(_ batch: Batch, _ model: ParameterStore, _ visit: ClientVisit) -> Evaluation {
    let (width, block) = (embedder.width, visit.broadcast.blocks[0].base)
    let classes = task.training.classCount ?? 0
    let known = (0..<classes).filter { block[$0 * (width + 1) + width] > 0 }
    let prototypes = Prototypes(labels: known, width: width, task.compute) { label, prototype in
      prototype.update(from: block + label * (width + 1), count: width)
    }
    let embeddings = embedder.embed(batch, model)
    var evaluation = Evaluation()
    prototypes.forEachRow(embeddings[0], count: batch.count) { row, scores in
      guard let own = known.firstIndex(of: Int(batch.targetClasses[row])) else {
        evaluation.loss += log(Double(classes))
        return
      }
      var (best, place) = (-Float.infinity, -1)
      for column in known.indices where scores[column] > best { (best, place) = (scores[column], column) }
      var total = 0.0
      for column in known.indices { total += exp(Double(scores[column] - best)) }
      evaluation.loss += log(total) + Double(best - scores[own])
      evaluation.correct += place == own ? 1 : 0
    }
    return evaluation
  }
}

/// A server that adds up what clients bring.
private final class ReconnaissanceServer: ServerHalf {
  private let task: FederatedTask
  private let encoder: EncoderOptions?
  private let broadcast: Broadcast
  private let classes: PrototypeMemory
  private let words: Storage
  private let report = Storage(zeros: FewShotReport.blockCount)
  private lazy var wire = PrototypeWire(classes: classes.classes, width: classes.width)

  init(_ task: FederatedTask, _ encoder: EncoderOptions?, _ broadcast: Broadcast) {
    self.task = task
    self.encoder = encoder
    self.broadcast = broadcast
    let (count, width) = (task.training.classCount ?? 0, task.model.output.shape.count)
    words = Storage(zeros: 2 * PrototypeMemory.wordCount(classes: count, width: width))
    classes = PrototypeMemory(classes: count, width: width, in: words)
  }

  var memory: [ServerMemory] { [ServerMemory("prototypes", words), ServerMemory("few-shot", report)] }
  var results: [Storage] { [words] }

  var metrics: [String: Double] {
    var metrics = Dictionary(uniqueKeysWithValues: FewShotReport(report).values.map { ($0.name, $0.value) })
    metrics["classes"] = Double(classes.known.count)
    metrics["prototype_samples"] = Double(classes.samples)
    return metrics
  }

  func prepare(_ workers: Workers, _ note: (String) -> Void) throws(FederatedError) {
    guard let encoder else { return }
    try encoder.train(task.model, broadcast.model, seed: task.seed, task.compute, workers, note).write(report)
  }

  func download(_ kind: DownloadKind, sent: Broadcast, _ plan: FederatedPlan) -> [SafetensorsWriter.Part] {
    kind == .whole ? sent.parts(plan, kind) : sent.blockParts(plan)
  }

  func unpack(_ packed: SafetensorsView, samples: Int, into upload: Upload) throws(DataError) {
    try wire.unpack(packed, samples: samples, into: upload.integers(0))
  }

  func combine(_ outcome: RoundOutcome) throws(FederatedError) {
    classes.merge(outcome.integers(0))
    let (width, block) = (classes.width, broadcast.blocks[0].base)
    for label in 0..<classes.classes {
      guard classes.count(label) <= PrototypeMemory.samplesPerClass else {
        throw FederatedError(
          .refused, "class \(label) has more than \(PrototypeMemory.samplesPerClass) samples, and sums no room for more"
        )
      }
      let row = block + label * (width + 1)
      classes.prototype(label, into: row)
      row[width] = Float(classes.count(label))
    }
  }
}
