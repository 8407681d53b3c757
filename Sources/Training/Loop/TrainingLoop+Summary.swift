import Communication
import Foundation
import Tensors

extension TrainingLoop {
  /// What the run comes to.  Collective.
  func summary(_ test: EvaluationRecord?) throws -> TrainingSummary {
    let sent = ledger.total
    let labels = ledger.labels.flatMap { [Int64($0.bytes), Int64($0.messages)] }
    let counts = try gatherCounts(
      [Int64(sent.bytes), Int64(sent.messages), Int64(ProcessMemory.peak), Int64(communicator.wireBytes)] + labels)
    // Stages have buckets of their own.
    let common = grid == nil ? labels.count / 2 : 0
    let buckets = (0..<common).map { bucket in
      BucketTraffic(
        bytesSent: counts.map { Int($0[4 + 2 * bucket]) }, messagesSent: counts.map { Int($0[5 + 2 * bucket]) })
    }
    return TrainingSummary(
      ranks: communicator.size, epochs: progress.epoch, steps: progress.step, samples: progress.samples,
      seconds: progress.seconds, loss: test?.loss, accuracy: test?.accuracy,
      parameters: store.layout.parameterCount, parametersDigest: Digest.parameters(store), strategy: trainer.name,
      bytesSent: counts.map { Int($0[0]) }, messagesSent: counts.map { Int($0[1]) }, buckets: buckets,
      wireBytes: Int(counts.reduce(0) { $0 + $1[3] }), stalledSeconds: keeper.stalledSeconds,
      peakMemoryBytes: Int(counts.map { $0[2] }.max() ?? 0))
  }

  private func gatherCounts(_ mine: [Int64]) throws -> [[Int64]] {
    let bytes = mine.withUnsafeBytes { Array($0) }
    return try Agreement.exchange(bytes, communicator).map { bytes in
      bytes.withUnsafeBytes { Array($0.bindMemory(to: Int64.self)) }
    }
  }
}

/// Seconds of a clock that never jumps.
func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
