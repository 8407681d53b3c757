import Datasets
import Federated

extension MemoryEstimate {
  /// What a federation takes of the memory of one of so many ranks.
  public init(_ prepared: PreparedFederation, ranks: Int) throws(RunError) {
    let memory: FederatedMemory
    do throws(FederatedError) {
      memory = try FederatedMemory(
        prepared.task, prepared.experiment.federated.strategy, prepared.setting,
        threads: prepared.experiment.compute.threads, ranks: ranks,
        chunk: min(prepared.experiment.evaluationBatch, prepared.dataset.test.count))
    } catch { throw RunError(error) }
    self.init([
      (.weights, memory.broadcast), (.replicas, memory.models), (.gradients, memory.gradients),
      (.optimizer, memory.optimizers), (.strategy, memory.uploads), (.clients, memory.states),
      (.activations, memory.activations), (.batches, memory.batches),
    ])
  }
}
