import Federated

/// What one optimizer step was like.
public struct StepRecord: Sendable {
  /// Steps done, from 1.
  public var step: Int
  /// Steps of the whole run.
  public var totalSteps: Int
  /// The epoch of the step, from 0.
  public var epoch: Int
  /// Samples seen since the start of training.
  public var samples: Int
  /// Mean loss of the step's samples, before its update.
  public var loss: Double
  /// Share of the step's samples that was predicted right, where targets are classes.
  public var accuracy: Double?
  /// Rate of the step.
  public var learningRate: Double
  /// Seconds of training since the start, without evaluation.
  public var seconds: Double
  /// Payload bytes that this rank has sent.
  public var bytesSent: Int
  /// Messages that this rank has sent.
  public var messagesSent: Int
  /// Bytes that the transport has moved for this rank.
  public var wireBytes: Int
  /// SHA-256 of the parameters after the step, where it is due and somebody follows the run.
  public var digest: String?
}

/// The result of evaluating the model on a set.
public struct EvaluationRecord: Sendable {
  /// `validation` or `test`; `clients` for a model on the samples of clients, `personal` for their own models.
  public var set: String
  /// Steps done.
  public var step: Int
  /// Epochs done.
  public var epoch: Int
  /// Mean loss.
  public var loss: Double
  /// Share of correct samples, where targets are classes.
  public var accuracy: Double?
  /// Seconds since the start.
  public var seconds: Double
  /// Federated rounds done; nil for training without rounds.
  public var round: Int?
  /// Where loss and accuracy are means over clients: how many, and how the worst of them do.
  public var clients: ClientEvaluation?
}

/// A checkpoint that has reached the disk.
public struct CheckpointRecord: Sendable {
  /// Steps, or federated rounds, done.
  public var step: Int
  /// Bytes of tensors, of all ranks.
  public var bytes: Int
  /// Seconds that training stood still for it.
  public var stalledSeconds: Double
  /// Seconds from its beginning until it was whole on the disk.
  public var seconds: Double
  /// Whether rounds are counted.
  public var isRound = false
}

/// Follows a run: progress, metrics, logs.  Called on the thread of its rank; only rank 0 has observers.
public protocol TrainingObserver: AnyObject {
  /// Training begins or continues.
  func began(_ start: TrainingStart)
  /// A step is done.
  func stepEnded(_ record: StepRecord)
  /// A federation begins or continues.
  func began(_ start: FederationStart)
  /// A federated round is done.
  func roundEnded(_ report: RoundReport)
  /// The model was evaluated.
  func evaluated(_ record: EvaluationRecord)
  /// A checkpoint has reached the disk.
  func saved(_ record: CheckpointRecord)
  /// Something worth a line happened.
  func noted(_ line: String)
  /// The run is over.
  func ended()
}

extension TrainingObserver {
  /// Nothing to do.
  public func began(_ start: TrainingStart) {}
  /// Nothing to do.
  public func stepEnded(_ record: StepRecord) {}
  /// Nothing to do.
  public func began(_ start: FederationStart) {}
  /// Nothing to do.
  public func roundEnded(_ report: RoundReport) {}
  /// Nothing to do.
  public func evaluated(_ record: EvaluationRecord) {}
  /// Nothing to do.
  public func saved(_ record: CheckpointRecord) {}
  /// Nothing to do.
  public func noted(_ line: String) {}
  /// Nothing to do.
  public func ended() {}
}

/// What is about to be trained.
public struct TrainingStart: Sendable {
  /// Name of the experiment.
  public var name: String
  /// Name of the model.
  public var model: String
  /// Its parameters.
  public var parameters: Int
  /// Where the data come from.
  public var data: String
  /// Samples that training sees in an epoch.
  public var samples: Int
  /// Samples of a step.
  public var batch: Int
  /// Logical shards.
  public var shards: Int
  /// Ranks.
  public var ranks: Int
  /// Threads of a rank.
  public var threads: Int
  /// Steps of the whole run.
  public var totalSteps: Int
  /// Steps of an epoch.
  public var stepsPerEpoch: Int
  /// Steps done before, where a run is resumed.
  public var firstStep: Int
}
