import Configuration
import Datasets
import Synchronization

/// Which samples each optimizer step sees: batches of an epoch's order, `accumulate` of them a step.
///
/// An epoch's last step takes the batches that are left, so that every sample is seen once an epoch.
public struct BatchSchedule: Sendable, Hashable {
  /// Order and cutting of samples.
  public let sampler: Sampler
  /// Batches of a step.
  public let accumulate: Int

  /// A schedule over the batches of a sampler.
  public init(_ sampler: Sampler, accumulate: Int) {
    precondition(accumulate > 0, "\(accumulate) batches a step")
    self.sampler = sampler
    self.accumulate = accumulate
  }

  /// The schedule of an experiment on so many ranks; throws where ranks, shards and samples do not go together.
  init(_ prepared: PreparedExperiment, ranks: Int) throws(RunError) {
    let (experiment, dataset) = (prepared.experiment, prepared.dataset)
    let shards: Int
    do throws(ConfigurationError) { shards = try experiment.shards(ranks: ranks) } catch { throw RunError(error) }
    guard shards <= dataset.training.count else {
      throw RunError(
        .configuration, "\(dataset.name) has \(dataset.training.count) training samples for \(shards) shards")
    }
    self.init(
      Sampler(
        count: dataset.training.count, batch: experiment.training.batch, shards: shards, seed: experiment.seed),
      accumulate: experiment.training.accumulate)
  }

  /// Optimizer steps of a training.
  func totalSteps(_ length: TrainingOptions.Length) -> Int {
    switch length {
    case .epochs(let epochs): epochs * stepsPerEpoch
    case .steps(let steps): steps
    }
  }

  /// Optimizer steps of an epoch.
  public var stepsPerEpoch: Int { (sampler.batches + accumulate - 1) / accumulate }

  /// The epoch of a step counted from the start of training, from 0.
  public func epoch(_ step: Int) -> Int { step / stepsPerEpoch }

  /// The batches of its epoch that a step takes.
  public func batches(_ step: Int) -> Range<Int> {
    let first = step % stepsPerEpoch * accumulate
    return first..<min(first + accumulate, sampler.batches)
  }

  /// Samples of a step, of all shards.
  public func samples(_ step: Int) -> Int { batches(step).reduce(0) { $0 + sampler.size($1) } }

  /// Sizes that a shard's batch can have, largest first.
  public var shardSizes: [Int] {
    var sizes: Set<Int> = []
    for batch in [0, sampler.batches - 1] {
      for shard in 0..<sampler.shards { sizes.insert(sampler.range(batch: batch, shard: shard).count) }
    }
    return sizes.filter { $0 > 0 }.sorted(by: >)
  }
}

/// The shard batches of one worker in the order in which it computes them: by step, shard, batch of the step; or where shards
/// run side by side by step, batch, shard.
package final class StepRequests: Sendable {
  private struct Cursor {
    var step: Int
    var shard = 0
    var batch = 0
    var epoch = -1
    var order: [Int32] = []
  }

  private let schedule: BatchSchedule
  private let shards: Range<Int>
  private let sideBySide: Bool
  private let cursor: Mutex<Cursor>

  /// The requests of `shards` from step `first` on; they never end.
  package init(_ schedule: BatchSchedule, shards: Range<Int>, first: Int, sideBySide: Bool = false) {
    self.schedule = schedule
    self.shards = shards
    self.sideBySide = sideBySide
    cursor = Mutex(Cursor(step: first))
  }

  /// The next request; called in order.
  package func next() -> BatchRequest? {
    if shards.isEmpty { return nil }
    return cursor.withLock { cursor in
      let epoch = schedule.epoch(cursor.step)
      if cursor.epoch != epoch {
        cursor.epoch = epoch
        cursor.order = schedule.sampler.order(epoch: epoch)
      }
      let batches = schedule.batches(cursor.step)
      let range = schedule.sampler.range(
        batch: batches.lowerBound + cursor.batch, shard: shards.lowerBound + cursor.shard)
      let samples = cursor.order[range]
      if sideBySide {
        cursor.shard += 1
        if cursor.shard == shards.count { (cursor.shard, cursor.batch) = (0, cursor.batch + 1) }
      } else {
        cursor.batch += 1
        if cursor.batch == batches.count { (cursor.shard, cursor.batch) = (cursor.shard + 1, 0) }
      }
      if cursor.shard == shards.count || cursor.batch == batches.count {
        (cursor.step, cursor.shard, cursor.batch) = (cursor.step + 1, 0, 0)
      }
      return BatchRequest(samples: samples, epoch: UInt64(epoch))
    }
  }
}
