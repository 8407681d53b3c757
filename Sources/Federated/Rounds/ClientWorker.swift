import Datasets
import Tensors

/// One thread's part in rounds: it visits clients, one after the other, and sums what they upload.
final class ClientWorker {
  let visit: ClientVisit
  let half: any ClientHalf
  let stages: [any UploadStage]
  /// What makes distances to the newest model of changes to older ones; nil where changes are added.
  let shift: OriginShift?
  /// Sums of the parts, as their kinds have them.
  let sums: [FixedPointSum?]
  let votes: [VoteSum?]
  let integers: [UnsafeMutableBufferPointer<Int64>?]
  /// What evaluation reads into.
  private var evaluationBatch: Batch?

  init(
    _ task: FederatedTask, _ plan: FederatedPlan, _ half: any ClientHalf, _ visit: ClientVisit,
    _ stages: [any UploadStage], shift: OriginShift? = nil
  ) {
    self.visit = visit
    self.half = half
    self.stages = stages
    self.shift = shift
    sums = plan.uploads.map { part in
      (part.kind == .change && !plan.keepsChanges) || part.kind == .numbers ? FixedPointSum(count: part.count) : nil
    }
    votes = plan.uploads.map { $0.kind == .votes ? VoteSum(count: $0.count) : nil }
    integers = plan.uploads.map { part in
      guard part.kind == .integers else { return nil }
      let words = UnsafeMutableBufferPointer<Int64>.allocate(capacity: part.count)
      words.initialize(repeating: 0)
      return words
    }
  }

  deinit { for words in integers { words?.deallocate() } }

  /// Sums of nothing, before a round.
  func clear() {
    for sum in sums { sum?.clear() }
    for sum in votes { sum?.clear() }
    for words in integers { words?.update(repeating: 0) }
  }

  /// Visits a client that has samples, and adds its upload.  `together` takes the changes of clients that must be seen
  /// together.
  func call(
    _ client: Int, round: Int, epochs: Int, learningRate: Double, weight: Int, _ scale: FixedPointScale,
    _ states: ClientStates?, together: UnsafeMutablePointer<Float>?
  ) throws(FederatedError) -> VisitRecord {
    let record = try train(client, round: round, epochs: epochs, learningRate: learningRate, states)
    if record.status == .rejected { return record }
    if let states, let memory = visit.memory.baseAddress { try states.write(client, from: memory) }
    add(weight: weight, scale, together: together)
    return record
  }

  /// Visits a client that has samples: what it uploads, and what it will remember, stand in the visit.
  func train(
    _ client: Int, round: Int, epochs: Int, learningRate: Double, _ states: ClientStates?
  ) throws(FederatedError) -> VisitRecord {
    try begin(client, round: round, epochs: epochs, learningRate: learningRate, states)
    for stage in stages { stage.prepare(visit) }
    half.update(visit)
    var record = VisitRecord()
    record.steps = visit.outcome.steps
    record.loss = visit.outcome.loss
    record.terms = visit.outcome.terms
    // A mask hides what an upload leaves out.
    record.bytesUp = (visit.plan.isMasked ? nil : visit.wireBytes) ?? visit.plan.uploadBytes
    for stage in stages { stage.apply(visit, &record) }
    shift?.apply(visit.upload, from: visit.broadcast.model)
    record.status = isAcceptable ? .accepted : .rejected
    return record
  }

  private func begin(
    _ client: Int, round: Int, epochs: Int, learningRate: Double, _ states: ClientStates?
  ) throws(FederatedError) {
    visit.client = client
    visit.round = round
    visit.epochs = epochs
    visit.learningRate = learningRate
    visit.trainer.load(client)
    try recall(states)
    visit.outcome = LocalOutcome()
    visit.wireBytes = nil
  }

  /// What the client remembers; zeros at its first visit.
  func recall(_ states: ClientStates?) throws(FederatedError) {
    guard let states, let memory = visit.memory.baseAddress else { return }
    visit.isKnown = try states.read(visit.client, into: memory)
    if !visit.isKnown { visit.memory.update(repeating: 0) }
  }

  /// Whether the loss is finite, and all Float32 parts are and small enough for exact sums.
  var isAcceptable: Bool { visit.outcome.loss.isFinite && visit.upload.isSummable }

  /// Adds the upload of the visit to the sums, or to what must be seen together.
  func add(weight: Int, _ scale: FixedPointScale, together: UnsafeMutablePointer<Float>?) {
    for (index, part) in visit.plan.uploads.enumerated() {
      switch part.kind {
      case .change, .numbers:
        let scalars = visit.upload.scalars(index)
        if let sum = sums[index] {
          _ = sum.add(UnsafeBufferPointer(scalars), weight: part.isUnweighted ? 1 : weight, scale)
        } else if let together, let base = scalars.baseAddress {
          together.update(from: base, count: scalars.count)
        }
      case .votes:
        votes[index]?.add(UnsafeRawBufferPointer(visit.upload.bits(index)))
      case .integers:
        guard let words = integers[index] else { continue }
        let added = visit.upload.integers(index)
        for place in 0..<part.count { words[place] &+= added[place] }
      }
    }
  }

  /// Adds what another worker has summed.
  func merge(_ other: ClientWorker) {
    for (sum, more) in zip(sums, other.sums) { if let sum, let more { sum.merge(more) } }
    for (sum, more) in zip(votes, other.votes) { if let sum, let more { sum.merge(more) } }
    for (words, more) in zip(integers, other.integers) {
      if let words, let more { for place in words.indices { words[place] &+= more[place] } }
    }
  }

  /// Sums over a client's samples of a test by its personal model.  What it remembers stays as it is.
  func judge(
    _ client: Int, round: Int, epochs: Int, learningRate: Double, _ states: ClientStates?, _ test: ClientTest,
    place: Int,
    chunk: Int
  ) throws(FederatedError) -> Evaluation {
    try begin(client, round: round, epochs: epochs, learningRate: learningRate, states)
    let model = half.personal(visit)
    var sum = Evaluation()
    for group in test.groupsOfClients[place] {
      for samples in test.pieces(of: Int(group), size: chunk) { sum.add(evaluate(test.source, samples, model)) }
    }
    return sum
  }

  /// Sums over samples of a set, by a model.
  func evaluate(_ source: any DataSource, _ samples: ArraySlice<Int32>, _ model: ParameterStore) -> Evaluation {
    let batch: Batch
    if let known = evaluationBatch, known.capacity >= samples.count {
      batch = known
    } else {
      batch = Batch(capacity: samples.count, of: source)
      evaluationBatch = batch
    }
    batch.fill(from: source, samples: samples, epoch: 0)
    return half.evaluate(batch, model, visit)
  }
}
