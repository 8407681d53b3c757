import Communication
import Datasets
import Layers
import Strategies
import Tensors

/// One thread's share of a step: it computes its shards one after the other and sums them in the order of the tree; or, where
/// shards meet, all side by side (see ``SideBySideStep``).
///
/// Belongs to one thread at a time.
final class Worker {
  /// The logical shards that it computes.
  let shards: Range<Int>
  /// The largest subtrees within them, whose sums it leaves.
  let pieces: [Range<Int>]
  /// The sums of the present step, one a piece, always in the same memory.
  let sums: [Storage]

  /// Its shards, where they run side by side; else none.
  let lanes: [ShardLane]

  let library: ProgramLibrary
  let block: GradientBlock
  private let pool: Pool
  private let supply: (any BatchSupply)?
  private var executors: [Int: Executor] = [:]
  /// The phase that `executors` belong to.
  private var phase = 0
  private var evaluators: [Int: Executor] = [:]
  private var spare: [Storage] = []
  /// The unfinished sums of a subtree, widest first.
  private var stack: [Storage] = []
  private let events: [[Event]]

  /// What one step needs to know.
  struct Step {
    /// The model that all shards share, or has the layout of their replicas.
    let store: ParameterStore
    /// The models of this rank's shards, from its first on, where each has its own.
    var replicas: [Replica] = []
    var firstReplica = 0
    let version: Int
    let seed: UInt64
    let epoch: UInt64
    let phase: Int
    let batches: Int
    /// Samples of the whole step, of all shards.
    let samples: Int
    let stop: Bool
    let busy: Bool
    let due: Bool
    /// Where other ranks have the modules before or behind.
    var link: StageLink?

    /// The weights of a shard, and the samples that its gradient is a mean over.
    func model(of shard: Int) -> (store: ParameterStore, samples: Int) {
      if replicas.isEmpty { return (store, samples) }
      let replica = replicas[shard - firstReplica]
      return (replica.store, replica.samples)
    }
  }

  /// Told during the last batch of a step, between its instructions: how many are done, and how to complete a range of the
  /// sums.  Before the step ends it must have completed every range.
  typealias Poll = (_ done: Int, _ complete: (Range<Int>) -> Void) throws(CommunicationError) -> Void

  /// A worker that leaves the sums of `pieces` in `sums`; its batches come from `supply`, nil for one without shards.
  init(
    shards: Range<Int>, pieces: [Range<Int>], sums: [Storage], _ library: ProgramLibrary,
    supply: (any BatchSupply)?
  ) {
    precondition(pieces.count == sums.count, "\(sums.count) blocks for \(pieces.count) pieces")
    self.shards = shards
    self.library = library
    self.supply = supply
    self.pieces = pieces
    self.sums = sums
    events = pieces.map(Worker.events)
    let block = GradientBlock(library.model.layout)
    let pool = Pool(bytes: library.poolBytes)
    self.block = block
    self.pool = pool
    lanes =
      library.meetings.isEmpty
      ? []
      : shards.map { shard in
        let piece = pieces.firstIndex { $0.lowerBound == shard }
        return ShardLane(
          shard, leaf: piece.map { sums[$0] } ?? block.make(),
          pool: shard == shards.lowerBound ? pool : Pool(bytes: library.trainingPoolBytes))
      }
  }

  deinit { supply?.stop() }

  /// Computes the gradients of all shards into `sums`.
  func computeGradients(_ step: Step) throws(RunError) {
    try computeGradients(step, polls: false) { (_, _) throws(CommunicationError) in }
  }

  /// Computes the gradients of all shards into `sums`; `poll` runs during the very last batch.
  func computeGradients(_ step: Step, poll: Poll) throws(RunError) {
    try computeGradients(step, polls: true, poll)
  }

  private func computeGradients(_ step: Step, polls: Bool, _ poll: Poll) throws(RunError) {
    for index in pieces.indices { try sum(index, step, polls: polls && index == pieces.count - 1, poll) }
  }

  /// Sums one subtree with a stack of blocks, the first of which is the sum's own.  Where it polls, what remains after the
  /// last leaf is done range by range.
  private func sum(_ index: Int, _ step: Step, polls: Bool, _ poll: Poll) throws(RunError) {
    let last = pieces[index].upperBound - 1
    stack.removeAll(keepingCapacity: true)
    for event in events[index] {
      switch event {
      case .leaf(let shard):
        let leaf = stack.isEmpty ? sums[index] : take()
        stack.append(leaf)
        guard polls, shard == last else {
          try compute(shard, into: leaf, step)
          continue
        }
        try compute(shard, into: leaf, step, polls: true, poll)
        spare.append(contentsOf: stack.dropFirst())
        return
      case .add:
        let right = stack.removeLast()
        VectorMath.add(right.base, to: stack[stack.count - 1].base, count: block.count)
        spare.append(right)
      }
    }
  }

  /// Does the additions that follow the last leaf for a range of scalars.
  private func complete(_ range: Range<Int>) {
    var right = stack.count - 1
    while right > 0 {
      VectorMath.add(
        stack[right].base + range.lowerBound, to: stack[right - 1].base + range.lowerBound, count: range.count)
      right -= 1
    }
  }

  private enum Event { case leaf(Int), add }

  /// Leaves and additions of a subtree in the order in which they are computed.
  private static func events(_ node: Range<Int>) -> [Event] {
    if node.count == 1 { return [.leaf(node.lowerBound)] }
    let middle = ShardTree.middle(node)
    return events(node.lowerBound..<middle) + events(middle..<node.upperBound) + [.add]
  }

  private func take() -> Storage { spare.popLast() ?? block.make() }

  private func compute(_ shard: Int, into leaf: Storage, _ step: Step) throws(RunError) {
    try compute(shard, into: leaf, step, polls: false) { (_, _) throws(CommunicationError) in }
  }

  /// The gradient of one shard: the sum over the step's batches.
  private func compute(
    _ shard: Int, into leaf: Storage, _ step: Step, polls: Bool, _ poll: Poll
  ) throws(RunError) {
    var isFilled = false
    var isPolled = !polls
    for index in 0..<step.batches {
      let batch = try next()
      defer { supply?.recycle(batch) }
      guard batch.count > 0 else {
        try exchange(step) { _, _ in }
        continue
      }
      let target = isFilled ? take() : leaf
      let executor = executor(.training, batch.count, phase: step.phase)
      var inputs = inputs(batch, shard, step, gradients: target)
      if let link = step.link {
        try exchange(step) { incoming, outgoing throws(CommunicationError) in
          (inputs.incoming, inputs.outgoing) = (incoming, outgoing)
          try executor.run(inputs) { (_) throws(CommunicationError) in try link.poll() }
        }
        finish(target, executor, step)
      } else if polls, index == step.batches - 1, !isFilled {
        isPolled = true
        var isFinished = false
        do throws(CommunicationError) {
          try executor.run(inputs) { (done) throws(CommunicationError) in
            try poll(done) { range in
              // Once: afterwards the tail may already hold the sums of all ranks.
              if !isFinished { finish(target, executor, step) }
              isFinished = true
              complete(range)
            }
          }
        } catch { throw RunError(error) }
      } else {
        executor.run(inputs)
        finish(target, executor, step)
      }
      if isFilled {
        VectorMath.add(target.base, to: leaf.base, count: block.count)
        spare.append(target)
      }
      isFilled = true
    }
    if !isFilled { leaveNothing(in: leaf, step) }
    if !isPolled {
      do throws(CommunicationError) { try poll(Int.max) { complete($0) } } catch { throw RunError(error) }
    }
  }

  /// Runs a batch between what the stage before made of it and what the next one takes.
  private func exchange(
    _ step: Step,
    _ run: (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) throws(CommunicationError) -> Void
  ) throws(RunError) {
    guard let link = step.link else { return }
    do throws(CommunicationError) {
      let memory = try link.begin()
      try run(memory.incoming, memory.outgoing)
      try link.end()
    } catch { throw RunError(error) }
  }

  /// What a shard without samples leaves.
  func leaveNothing(in leaf: Storage, _ step: Step) {
    leaf.clear()
    mark(leaf, step)
  }

  /// Writes the tail of a block from the sums of a run.
  func finish(_ target: Storage, _ executor: Executor, _ step: Step) {
    let terms = Double(step.samples) * Double(library.objective.termsPerSample)
    target.base[block.loss] = Float(executor.metric(0) / terms)
    target.base[block.correct] = executor.plan.metricCount > 1 ? Float(executor.metric(1)) : 0
    mark(target, step)
  }

  /// Writes into the tail what this rank tells all ranks.
  private func mark(_ target: Storage, _ step: Step) {
    target.base[block.stop] = step.stop ? 1 : 0
    target.base[block.busy] = step.busy ? 1 : 0
    target.base[block.due] = step.due ? 1 : 0
  }

  func inputs(_ batch: Batch, _ shard: Int, _ step: Step, gradients: Storage) -> Executor.Inputs {
    let (store, samples) = step.model(of: shard)
    var inputs = Executor.Inputs(
      store: store, version: step.version, gradients: gradients, samples: batch.input, targets: batch.targets,
      sampleKeys: batch.sampleKeys)
    inputs.epoch = step.epoch
    inputs.seed = step.seed
    inputs.targetWeight = Float(1 / (Double(samples) * Double(library.objective.termsPerSample)))
    inputs.share = Float(Double(batch.count) / Double(samples))
    return inputs
  }

  func next() throws(RunError) -> Batch {
    do throws(DataError) {
      guard let batch = try supply?.next() else { preconditionFailure("the sequence of batches ended") }
      return batch
    } catch { throw RunError(error) }
  }

  /// Gives a batch back.
  func recycle(_ batch: Batch) { supply?.recycle(batch) }

  private func executor(_ mode: Mode, _ batch: Int, phase: Int = 0) -> Executor {
    if mode == .training, phase != self.phase { (executors, self.phase) = ([:], phase) }
    if let known = mode == .training ? executors[batch] : evaluators[batch] { return known }
    let made = Executor(library.plan(mode, batch, phase: phase), pool: pool)
    if mode == .training { executors[batch] = made } else { evaluators[batch] = made }
    return made
  }

  /// The sum of losses and the count of correct samples over one chunk of a set.
  func evaluate(_ batch: Batch, _ store: ParameterStore, version: Int) -> (loss: Double, correct: Double) {
    let executor = executor(.evaluation, batch.count)
    executor.run(
      Executor.Inputs(
        store: store, version: version, gradients: nil, samples: batch.input, targets: batch.targets,
        sampleKeys: batch.sampleKeys))
    return (executor.metric(0), executor.plan.metricCount > 1 ? executor.metric(1) : 0)
  }
}
