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
  /// Payload bytes that each rank sent.
  public var bytesSent: [Int]
  /// Messages that each rank sent.
  public var messagesSent: [Int]
  /// Bytes that the transport moved; 0 in shared memory.
  public var wireBytes: Int
  /// Most memory of any rank's process.
  public var peakMemoryBytes: Int
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
      "bytes_sent": .list(bytesSent.map { .integer($0) }), "messages_sent": .list(messagesSent.map { .integer($0) }),
      "wire_bytes": .integer(wireBytes), "peak_memory_bytes": .integer(peakMemoryBytes), "run": .text(run),
    ]
  }
}
