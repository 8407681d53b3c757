import Datasets
import Layers
import Optimizers
import Tensors

/// What the rounds of a federation take of a rank's memory, in bytes, from the plan alone: nothing large is allocated.
///
/// Not counted is what the server's half remembers, a vector or two of the model's size.
public struct FederatedMemory: Sendable, Hashable {
  /// The broadcast: the model, with what is sent beside it.
  public let broadcast: Int
  /// The models of all workers.
  public let models: Int
  /// Their gradients.
  public let gradients: Int
  /// What their update rules remember.
  public let optimizers: Int
  /// Uploads, their sums and means, and changes that are seen together.
  public let uploads: Int
  /// Activations, packed weights and scratch memory of all workers.
  public let activations: Int
  /// Samples that workers read into.
  public let batches: Int
  /// What clients remember, as far as it may lie in memory; of as many ranks' clients as there are.
  public let states: Int
  /// The same wherever it lies, and of all ranks.
  public let allStates: Int

  /// Works it out for one of so many ranks, with so many threads each; models are evaluated in chunks of so many samples.
  public init(
    _ task: FederatedTask, _ strategy: any FederatedStrategy, _ setting: FederatedSetting, threads: Int, ranks: Int,
    chunk: Int
  ) throws(FederatedError) {
    let plan = try FederatedEngine.plan(task, strategy, setting)
    let layout = task.layout
    let model = 4 * (layout.parameterCount + layout.stateCount)
    let scalars = plan.uploads.reduce(0) { $0 + ($1.kind == .change || $1.kind == .numbers ? $1.count : 0) }
    // An asynchronous server's also as it was before the last updates.
    let versions = 1 + (setting.asynchronous?.mostStale ?? 0)
    broadcast = plan.blocks.reduce(versions * model) { $0 + 4 * $1.count }
    models = threads * model
    gradients = threads * 4 * layout.gradientCount
    optimizers = threads * 4 * task.optimizer.rule.stateNames.count * layout.parameterCount
    // Float32 of the upload and Int64 of its sum for each worker; one mean.
    let together = !plan.keepsChanges ? 0 : 4 * (plan.uploads.first?.count ?? 0) * task.cohort
    uploads = threads * 12 * scalars + 4 * scalars + threads * 4 * plan.memoryCount + together
    let programs = strategy.programs(task)
    let evaluated = min(chunk, 1 << 20)
    activations = threads * max(programs.poolBytes(task.largestBatch), programs.evaluation.plan(evaluated).poolBytes)
    let sample = 4 * task.training.inputShape.count + 4 * task.training.targetShape.count + MemoryLayout<UInt64>.stride
    batches = threads * (sample * (task.largestBatch + evaluated) + 4 * task.partition.largest)
    allStates = 4 * plan.memoryCount * task.partition.clients
    states = min(setting.stateMemory, allStates / ranks)
  }
}
