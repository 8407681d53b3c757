import Communication
import Datasets
import Layers
import Optimizers
import Tensors

/// Times the steps of training: gradients of all shards, exchange, update, with the samples ready in memory.
///
/// Belongs to one rank; all ranks call the same methods in the same order.
public final class StepBenchmark {
  private let loop: TrainingLoop
  private let communicator: any Communicator

  /// A rank's training, made ready; `prepared` has a data set whose samples are read four batches far.
  public init(_ prepared: PreparedExperiment, _ communicator: any Communicator) throws(RunError) {
    self.communicator = communicator
    loop = try TrainingLoop(prepared, communicator)
    do {
      try loop.synchroniseParameters()
      let (source, schedule) = (prepared.dataset.training, loop.schedule)
      try loop.trainer.shards.begin { RepeatedBatches(source, schedule, shards: $0) }
    } catch { throw RunError(error) }
  }

  /// Samples of a step, of all ranks.
  public var samples: Int { loop.schedule.samples(0) }
  /// Logical shards of a step.
  public var shards: Int { loop.schedule.sampler.shards }
  /// Threads of a rank.
  public var threads: Int { loop.trainer.shards.team.count }
  /// Scalars that are trained.
  public var parameters: Int { loop.store.layout.parameterCount }
  /// Pool memory of a thread.
  public var poolBytes: Int {
    loop.trainer.shards.library.poolBytes(shards: loop.trainer.shards.workers.map(\.shards.count).max() ?? 1)
  }

  /// Floating-point operations of a step, of all ranks, without the update.
  public var flops: Int {
    (0..<shards).reduce(0) { $0 + plan(shard: $1).flops * loop.schedule.accumulate }
  }

  private func plan(shard: Int) -> Plan {
    loop.trainer.shards.library.plan(.training, loop.schedule.sampler.range(batch: 0, shard: shard).count)
  }

  // MARK: Steps

  /// Times steps for about `seconds`, at least ten; ranks agree on the number.
  public func measure(seconds: Double) throws(RunError) -> LoopTimes {
    do {
      for _ in 0..<4 { _ = try loop.step() }
      let start = monotonicSeconds()
      _ = try loop.step()
      let estimate = max(monotonicSeconds() - start, 1e-7)
      let count = try agree(max(10, Int(min(seconds / estimate, 1e7))))
      var times = [Double](repeating: 0, count: count)
      var last = monotonicSeconds()
      for index in 0..<count {
        _ = try loop.step()
        let now = monotonicSeconds()
        times[index] = now - last
        last = now
      }
      return LoopTimes(times)
    } catch { throw RunError(error) }
  }

  /// Ends what is under way between ranks; no step follows.
  public func finish() throws(RunError) {
    do throws(CommunicationError) { try loop.trainer.finish() } catch { throw RunError(error) }
  }

  /// Rank 0's number, on every rank.
  private func agree(_ number: Int) throws(CommunicationError) -> Int {
    let value = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 1)
    defer { value.deallocate() }
    value.initialize(repeating: Int64(number))
    if communicator.size > 1 { try communicator.broadcast(value, root: 0) }
    return Int(value[0])
  }

  /// The sum of a number over all ranks.
  private func total(_ number: Double) throws(CommunicationError) -> Double {
    let value = UnsafeMutableBufferPointer<Double>.allocate(capacity: 1)
    defer { value.deallocate() }
    value.initialize(repeating: number)
    if communicator.size > 1 { try communicator.allReduce(value, .sum) }
    return value[0]
  }

  /// The most memory that any rank ever had.
  public func peakMemoryBytes() throws(RunError) -> Int {
    do throws(CommunicationError) {
      let value = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 1)
      defer { value.deallocate() }
      value.initialize(repeating: Int64(ProcessMemory.peak))
      if communicator.size > 1 { try communicator.allReduce(value, .maximum) }
      return Int(value[0])
    } catch { throw RunError(error) }
  }

  /// Allocations a step in this process, by this program and by its libraries; nil where nobody counts them.
  public func allocations() throws(RunError) -> (own: Double, libraries: Double)? {
    let steps = 16
    do {
      for _ in 0..<3 { _ = try loop.step() }
      guard let before = AllocationCounter.now else { return nil }
      for _ in 0..<steps { _ = try loop.step() }
      guard let after = AllocationCounter.now else { return nil }
      return (
        Double(after.own - before.own) / Double(steps), Double(after.libraries - before.libraries) / Double(steps)
      )
    } catch { throw RunError(error) }
  }

  // MARK: Overlap

  /// What overlapping the exchange of gradients with computing them gains.
  public struct Overlap: Sendable {
    /// Median seconds of a step that overlaps, and of one that exchanges afterwards.
    public let with: Double, without: Double
    /// Median seconds of the exchange alone, and of the backward pass alone.
    public let communication: Double, backward: Double

    /// Share of the shorter of both that is hidden behind the other.
    public var hidden: Double { (without - with) / min(communication, backward) }
  }

  /// Times steps with and without overlap by turns, and the exchange alone; nil where replicas are exchanged and not gradients.
  public func overlap(seconds: Double) throws(RunError) -> Overlap? {
    guard let trainer = loop.trainer as? SharedModelTrainer else { return nil }
    let first = ShardTreePart(shards: shards, rank: communicator.rank, ranks: communicator.size).first
    let plan = plan(shard: first)
    let backward = zip(plan.profileSteps, instructionTimes(plan, shard: first).instructions)
      .reduce(0) { $0 + ($1.0.name.hasSuffix("gradient") ? $1.1 : 0) }
    let usual = trainer.shards.overlaps
    defer { trainer.shards.overlaps = usual }
    do {
      var times: [Bool: [Double]] = [:]
      var exchanges: [Double] = []
      let start = monotonicSeconds()
      _ = try loop.step()
      let rounds = try agree(max(5, Int(seconds / 3 / max(monotonicSeconds() - start, 1e-6))))
      for _ in 0..<rounds {
        for overlaps in [true, false] {
          trainer.shards.overlaps = overlaps
          try communicator.barrier()
          let start = monotonicSeconds()
          _ = try loop.step()
          times[overlaps, default: []].append(monotonicSeconds() - start)
        }
        try communicator.barrier()
        let start = monotonicSeconds()
        try trainer.exchange()
        exchanges.append(monotonicSeconds() - start)
      }
      return Overlap(
        with: LoopTimes(times[true] ?? []).median, without: LoopTimes(times[false] ?? []).median,
        communication: LoopTimes(exchanges).median, backward: backward)
    } catch { throw RunError(error) }
  }

  // MARK: Limits

  /// Floating-point operations a second of products on all threads of all ranks at once.
  public func limit(seconds: Double) throws(RunError) -> Double {
    let compute = loop.prepared.compute
    let results = UnsafeMutableBufferPointer<Double>.allocate(capacity: threads)
    defer { results.deallocate() }
    results.initialize(repeating: 0)
    let shared = Shared(base: results.baseAddress!)
    do {
      if communicator.size > 1 { try communicator.barrier() }
      loop.trainer.shards.team.run { shared.base[$0] = MachineLimit.products(compute, seconds: seconds) }
      return try total(results.reduce(0, +))
    } catch { throw RunError(error) }
  }

  /// `@unchecked Sendable`: every thread writes its own element.
  private struct Shared: @unchecked Sendable {
    let base: UnsafeMutablePointer<Double>
  }

  // MARK: Profile

  /// Times every instruction of this rank's first shard, and the rest of a step; `flopsPerSecond` is a core's limit and
  /// `step` what a whole step takes.
  public func profile(flopsPerSecond: Double, step: Double) -> StepProfile {
    var limit = MachineLimit()
    limit.flopsPerSecond = flopsPerSecond
    limit.bandwidths = MachineLimit.memory()
    let tree = ShardTreePart(shards: shards, rank: communicator.rank, ranks: communicator.size)
    let plan = plan(shard: tree.first)
    let executions = tree.count * loop.schedule.accumulate
    let measured = instructionTimes(plan, shard: tree.first)
    func row(_ name: String, _ layer: String, _ count: Int, _ seconds: Double, _ flops: Int, _ bytes: Int)
      -> StepProfile.Row
    {
      let bound = limit.seconds(flops: flops, bytes: bytes)
      return StepProfile.Row(
        operation: name, layer: layer, count: count, seconds: seconds * Double(count), flops: flops * count,
        bytes: bytes * count, limit: bound.seconds * Double(count), isArithmetic: bound.isArithmetic)
    }
    var rows = zip(plan.profileSteps, measured.instructions).map { step, seconds in
      row(step.name, step.scope, executions, seconds, step.flops, step.bytes)
    }
    let packing = plan.profilePreparation
    if !packing.isEmpty {
      rows.insert(row("weight packing", "", 1, measured.preparation, 0, packing.reduce(0) { $0 + $1.bytes }), at: 0)
    }
    let states = loop.prepared.experiment.optimizer.rule.stateNames.count
    rows.append(row("update", "", 1, measured.update, 0, parameters * 4 * (3 + 2 * states)))
    // What the parts do not explain: sums of shards and the exchange with other ranks.
    let rest = step - rows.reduce(0) { $0 + $1.seconds }
    if executions > 1 || communicator.size > 1, threads == 1, rest > 0 {
      rows.append(row("sums and exchange", "", 1, rest, 0, 0))
    }
    return StepProfile(rows: rows)
  }

  /// Median seconds of each instruction of a plan, of its preparation, and of the update.
  private func instructionTimes(
    _ plan: Plan, shard: Int
  ) -> (instructions: [Double], preparation: Double, update: Double) {
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    let batches = RepeatedBatches(loop.prepared.dataset.training, loop.schedule, shards: shard..<shard + 1)
    let gradients = loop.trainer.shards.block.make()
    let optimizer = loop.prepared.experiment.optimizer.make(layout: loop.store.layout)
    let rounds = 21
    var times = [[Double]](repeating: [], count: plan.stepCount + 2)
    for round in 0..<rounds + 2 {
      let batch = batches.next()!
      // A version that never was: as after an update.
      var inputs = Executor.Inputs(
        store: loop.store, version: -1 - round, gradients: gradients, samples: batch.input, targets: batch.targets,
        sampleKeys: batch.sampleKeys)
      inputs.targetWeight = Float(1 / (Double(samples) * Double(loop.prepared.dataset.training.termsPerSample)))
      inputs.share = Float(batch.count) / Float(samples)
      func note(_ index: Int, _ seconds: Double) { if round >= 2 { times[index].append(seconds) } }
      var last = monotonicSeconds()
      func lap(_ index: Int) {
        let now = monotonicSeconds()
        note(index, now - last)
        last = monotonicSeconds()
      }
      executor.prepare(inputs)
      lap(plan.stepCount)
      executor.run(inputs) { lap($0 - 1) }
      let all = 0..<loop.store.layout.parameterCount
      optimizer.measure(parameters: loop.store.parameters.base, gradients: gradients.base, range: all, step: round)
      optimizer.update(
        parameters: loop.store.parameters.base, gradients: gradients.base, range: all, step: round, learningRate: 0)
      lap(plan.stepCount + 1)
    }
    let medians = times.map { LoopTimes($0).median }
    return (Array(medians[..<plan.stepCount]), medians[plan.stepCount], medians[plan.stepCount + 1])
  }
}

/// The shards of a rank.
private struct ShardTreePart {
  let first: Int
  let count: Int

  init(shards: Int, rank: Int, ranks: Int) {
    first = rank * shards / ranks
    count = (rank + 1) * shards / ranks - first
  }
}
