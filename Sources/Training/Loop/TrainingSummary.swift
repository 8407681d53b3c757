/// What a finished run reports, with the keys that others rely on.
public struct TrainingSummary: Sendable {
  /// Ranks that trained.
  public var ranks: Int
  /// Whole epochs.
  public var epochs: Int
  /// Optimizer steps.
  public var steps: Int
  /// Samples seen.
  public var samples: Int
  /// Seconds of training, without evaluation.
  public var seconds: Double
  /// Mean loss on the test set.
  public var loss: Double?
  /// Share of the test set that is predicted right.
  public var accuracy: Double?
  /// Parameters of the model.
  public var parameters: Int
  /// SHA-256 of the parameter block.
  public var parametersDigest: String
  /// How ranks exchanged gradients.
  public var strategy: String
  /// Payload bytes that each rank sent, by the strategy's formula.
  public var bytesSent: [Int]
  /// Messages that each rank sent.
  public var messagesSent: [Int]
  /// The same by bucket; what belongs to no bucket is in the sums alone.
  public var buckets: [BucketTraffic]
  /// Bytes that the transport moved for all ranks, whatever they were for; 0 in shared memory.
  public var wireBytes: Int
  /// Seconds that training stood still for checkpoints, beside `seconds`.
  public var stalledSeconds: Double
  /// Most memory of any rank's process.
  public var peakMemoryBytes: Int
}

/// What ranks sent of one bucket.
public struct BucketTraffic: Sendable, Hashable {
  /// Payload bytes of each rank.
  public var bytesSent: [Int]
  /// Messages of each rank.
  public var messagesSent: [Int]
}

extension TrainingSummary {
  /// The object that `--json` prints.
  public func object(verb: String, run: String) -> JSONObject {
    [
      "verb": .text(verb), "ranks": .integer(ranks), "epochs": .integer(epochs), "steps": .integer(steps),
      "samples": .integer(samples), "seconds": .number(seconds),
      "samples_per_second": .number(seconds > 0 ? Double(samples) / seconds : 0),
      "loss": loss.map { .number($0) } ?? .null, "accuracy": accuracy.map { .number($0) } ?? .null,
      "parameters": .integer(parameters), "parameters_digest": .text(parametersDigest),
      "strategy": .text(strategy), "bytes_sent": .integers(bytesSent), "messages_sent": .integers(messagesSent),
      "buckets": .list(
        buckets.map {
          .object(["bytes_sent": .integers($0.bytesSent), "messages_sent": .integers($0.messagesSent)])
        }),
      "wire_bytes": .integer(wireBytes), "checkpoint_seconds": .number(stalledSeconds),
      "peak_memory_bytes": .integer(peakMemoryBytes), "run": .text(run),
    ]
  }
}

extension JSONValue {
  fileprivate static func integers(_ numbers: [Int]) -> JSONValue { .list(numbers.map { .integer($0) }) }
}
