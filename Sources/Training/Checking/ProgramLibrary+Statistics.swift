import Datasets
import Tensors

extension ProgramLibrary {
  /// Throws where a batch normalisation would see one value of each channel: whatever that is, it becomes 0, and the layers
  /// before it never learn.
  func requireStatistics(_ schedule: BatchSchedule, totalSteps: Int) throws(RunError) {
    let sampler = schedule.sampler
    let isLastSeen = totalSteps >= schedule.stepsPerEpoch
    for batch in isLastSeen ? [0, sampler.batches - 1] : [0] {
      for shard in 0..<sampler.shards {
        let samples = sampler.range(batch: batch, shard: shard).count
        guard samples > 0, let layer = plan(.training, samples).layersNormalisingOneValue.first else { continue }
        let place = batch == 0 ? "" : " of an epoch's last batch, \(sampler.size(batch)) samples,"
        throw RunError(
          .configuration,
          "layer \(layer) normalises each channel over a shard\(place) of \(samples) sample, which is one value and "
            + "says nothing; change training.batch or lower training.shards")
      }
    }
  }
}
