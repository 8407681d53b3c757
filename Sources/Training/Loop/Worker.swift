import Communication
import Datasets
import Layers
import Strategies
import Tensors

/// One thread's share of a step: it computes its shards one after the other and sums them in the order of the tree.
///
/// Belongs to one thread at a time.
final class Worker {
  /// The logical shards that it computes.
  let shards: Range<Int>
  /// The largest subtrees within them, whose sums it leaves.
  let pieces: [Range<Int>]
  /// The sums of the present step, one a piece; the last one is there, unfinished, once its last leaf is computed.
  private(set) var sums: [Storage] = []

  private let library: ProgramLibrary
  private let block: GradientBlock
  private let pool: Pool
  private let prefetcher: Prefetcher?
  private var executors: [Int: Executor] = [:]
  private var evaluators: [Int: Executor] = [:]
  private var spare: [Storage] = []

  /// What one step needs to know.
  struct Step {
    let store: ParameterStore
    let version: Int
    let seed: UInt64
    let epoch: UInt64
    let batches: Int
    /// Samples of the whole step, of all shards.
    let samples: Int
    let stop: Bool
  }

  /// Told during the last batch of a step, between its instructions: how many are done, and how to complete a range of the
  /// sums.  Before the step ends it must have completed every range.
  typealias Poll = (_ done: Int, _ complete: (Range<Int>) -> Void) throws(CommunicationError) -> Void
  private typealias LeafPoll = (_ done: Int, _ finish: () -> Void) throws(CommunicationError) -> Void

  init(
    shards: Range<Int>, tree: ShardTree, _ library: ProgramLibrary, source: any DataSource, schedule: BatchSchedule,
    firstStep: Int
  ) throws(DataError) {
    self.shards = shards
    self.library = library
    pieces = tree.subtrees(in: shards)
    block = GradientBlock(library.model.layout)
    pool = Pool(bytes: library.poolBytes)
    if shards.isEmpty {
      prefetcher = nil
    } else {
      let requests = StepRequests(schedule, shards: shards, first: firstStep)
      prefetcher = try Prefetcher(source, capacity: schedule.sampler.largestShard) { _ in requests.next() }
    }
  }

  deinit { prefetcher?.stop() }

  /// Computes the gradients of all shards into `sums`.  `poll`, where given, runs during the very last batch.
  func computeGradients(_ step: Step, poll: Poll? = nil) throws(RunError) {
    spare += sums
    sums = []
    for (index, piece) in pieces.enumerated() {
      try sum(piece, step, index == pieces.count - 1 ? poll : nil)
    }
  }

  /// Sums one subtree with a stack of blocks.  With `poll`, what remains after the last leaf is done range by range.
  private func sum(_ piece: Range<Int>, _ step: Step, _ poll: Poll?) throws(RunError) {
    var stack: [Storage] = []
    var isComplete = false
    for event in Worker.events(piece) {
      switch event {
      case .leaf(let shard):
        let leaf = take()
        if let poll, shard == piece.upperBound - 1 {
          let chain = [leaf] + stack.reversed()
          sums.append(chain[chain.count - 1])
          try compute(into: leaf, step) { (done, finish) throws(CommunicationError) in
            try poll(done) { range in
              finish()
              for (from, to) in zip(chain, chain.dropFirst()) {
                VectorMath.add(from.base + range.lowerBound, to: to.base + range.lowerBound, count: range.count)
              }
            }
          }
          isComplete = true
        } else {
          try compute(into: leaf, step, nil)
        }
        stack.append(leaf)
      case .add:
        let right = stack.removeLast()
        if !isComplete { VectorMath.add(right.base, to: stack[stack.count - 1].base, count: block.count) }
        spare.append(right)
      }
    }
    if !isComplete { sums.append(stack[0]) }
  }

  private enum Event { case leaf(Int), add }

  /// Leaves and additions of a subtree in the order in which they are computed.
  private static func events(_ node: Range<Int>) -> [Event] {
    if node.count == 1 { return [.leaf(node.lowerBound)] }
    let middle = ShardTree.middle(node)
    return events(node.lowerBound..<middle) + events(middle..<node.upperBound) + [.add]
  }

  private func take() -> Storage { spare.popLast() ?? block.make() }

  /// The gradient of one shard: the sum over the step's batches.
  private func compute(into leaf: Storage, _ step: Step, _ poll: LeafPoll?) throws(RunError) {
    var isFilled = false
    var isPolled = poll == nil
    for index in 0..<step.batches {
      let batch = try next()
      defer { prefetcher?.recycle(batch) }
      guard batch.count > 0 else { continue }
      let target = isFilled ? take() : leaf
      let executor = executor(.training, batch.count)
      let inputs = inputs(batch, step, gradients: target)
      if let poll, index == step.batches - 1, !isFilled {
        isPolled = true
        do throws(CommunicationError) {
          try executor.run(inputs) { (done) throws(CommunicationError) in
            try poll(done) { finish(target, executor, step) }
          }
        } catch { throw RunError(error) }
      } else {
        executor.run(inputs)
      }
      finish(target, executor, step)
      if isFilled {
        VectorMath.add(target.base, to: leaf.base, count: block.count)
        spare.append(target)
      }
      isFilled = true
    }
    if !isFilled {
      leaf.clear()
      leaf.base[block.stop] = step.stop ? 1 : 0
    }
    if !isPolled, let poll {
      do throws(CommunicationError) { try poll(Int.max) {} } catch { throw RunError(error) }
    }
  }

  /// Writes the tail of a block from the sums of a run.
  private func finish(_ target: Storage, _ executor: Executor, _ step: Step) {
    let terms = Double(step.samples) * Double(library.objective.termsPerSample)
    target.base[block.loss] = Float(executor.metric(0) / terms)
    target.base[block.correct] = executor.plan.metricCount > 1 ? Float(executor.metric(1)) : 0
    target.base[block.stop] = step.stop ? 1 : 0
  }

  private func inputs(_ batch: Batch, _ step: Step, gradients: Storage) -> Executor.Inputs {
    var inputs = Executor.Inputs(
      store: step.store, version: step.version, gradients: gradients, samples: batch.input, targets: batch.targets,
      sampleKeys: batch.sampleKeys)
    inputs.epoch = step.epoch
    inputs.seed = step.seed
    inputs.targetWeight = Float(1 / (Double(step.samples) * Double(library.objective.termsPerSample)))
    inputs.share = Float(Double(batch.count) / Double(step.samples))
    return inputs
  }

  private func next() throws(RunError) -> Batch {
    do throws(DataError) {
      guard let batch = try prefetcher?.next() else { preconditionFailure("the sequence of batches ended") }
      return batch
    } catch { throw RunError(error) }
  }

  private func executor(_ mode: Mode, _ batch: Int) -> Executor {
    if let known = mode == .training ? executors[batch] : evaluators[batch] { return known }
    let made = Executor(library.plan(mode, batch), pool: pool)
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
