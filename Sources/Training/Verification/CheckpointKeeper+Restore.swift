import Datasets
import Strategies
import Tensors

extension CheckpointKeeper {
  /// Restores one checkpoint into a trainer that is the only rank, and so holds every slice.
  func restore(_ trainer: any ModelTrainer, from checkpoint: Checkpoint) throws(RunError) {
    do throws(CheckpointError) {
      let memory = trainer.memory
      let file = try checkpoint.stateFile("strategy")
      guard Set(file?.names ?? []) == Set(memory.map(\.key)) else {
        throw CheckpointError(.unsuitable, "\(checkpoint.directory) was written by another strategy")
      }
      try checkpoint.load(into: trainer.store, states: trainer.optimizerStates)
      guard let file else { return }
      for block in memory {
        guard let entry = file.tensors[block.key], entry.type == .float32, entry.shape == [block.storage.count] else {
          throw CheckpointError(.unsuitable, "\(file.path): `\(block.key)` is not \(block.storage.count) numbers")
        }
        try checkpointErrors { () throws(DataError) in try file.copyFloats(block.key, into: block.storage.scalars) }
      }
    } catch { throw RunError(error) }
  }
}
