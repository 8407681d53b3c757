import Datasets
import Layers
import Learning
import Strategies
import Tensors

/// The plans of one model: recorded once for each batch size and mode, then shared by all workers.
public struct ProgramLibrary: Sendable {
  /// The model.
  public let model: Model
  /// Its loss.
  public let objective: Objective
  /// Terms that a training sample adds to the mean loss.
  public let termsPerSample: Int
  private let training: [Int: Plan]
  private let evaluation: [Int: Plan]
  /// Where the shards of a batch meet in training; the same in the plans of all batch sizes.
  public let meetings: [Meeting]

  /// Records and plans programs for the given batch sizes.
  public init(
    _ model: Model, _ objective: Objective, termsPerSample: Int, _ rule: any LearningRule, _ compute: Compute,
    training: [Int], evaluation: [Int]
  ) {
    self.model = model
    self.objective = objective
    self.termsPerSample = termsPerSample
    self.training = Dictionary(
      uniqueKeysWithValues: Set(training).map { batch in
        (batch, Programs.training(model, objective, rule, compute, batch: batch))
      })
    meetings = self.training.values.first?.meetings ?? []
    for plan in self.training.values {
      let alike = plan.meetings.map(\.count) == meetings.map(\.count)
      precondition(alike, "shards of \(plan.batch) samples meet elsewhere than others")
    }
    self.evaluation = Dictionary(
      uniqueKeysWithValues: Set(evaluation).map { batch in
        (batch, Programs.inference(model, objective, compute, batch: batch))
      })
  }

  /// The programs of an experiment's steps and evaluations.
  init(_ prepared: PreparedExperiment, _ schedule: BatchSchedule) {
    let (dataset, experiment) = (prepared.dataset, prepared.experiment)
    let sets = [dataset.validation, dataset.test].compactMap { $0 }
    self.init(
      prepared.model, prepared.objective, termsPerSample: dataset.training.termsPerSample, experiment.learning,
      prepared.compute, training: schedule.shardSizes,
      evaluation: sets.flatMap { Evaluator.sizes(of: $0, size: experiment.training.evaluationBatch) })
  }

  /// Pool memory that the largest plan needs.
  public var poolBytes: Int { (training.values.map(\.poolBytes) + evaluation.values.map(\.poolBytes)).max() ?? 0 }

  /// Pool memory that the largest plan of a training step needs.
  public var trainingPoolBytes: Int { training.values.map(\.poolBytes).max() ?? 0 }

  /// Pool memory of a thread that computes so many shards: they take turns, unless they run side by side.
  public func poolBytes(shards: Int) -> Int {
    meetings.isEmpty ? poolBytes : poolBytes + max(0, shards - 1) * trainingPoolBytes
  }

  /// The plan of a batch size.
  func plan(_ mode: Mode, _ batch: Int) -> Plan {
    guard let plan = (mode == .training ? training : evaluation)[batch] else {
      preconditionFailure("no \(mode) program for \(batch) samples")
    }
    return plan
  }

  /// For each parameter, the instructions of a training step after which its gradient is final.
  func gradientReady(_ batch: Int) -> [Int] { plan(.training, batch).gradientReady }

  /// For each bucket, the number of the meeting after which its gradients are final in the plans of all batch sizes; the
  /// number of all meetings where they are so at the end.
  func meetings(_ buckets: Buckets, scalars: Int) -> [Int] {
    var last = buckets.ranges.map { _ in 0 }
    for plan in training.values {
      let same = Buckets(
        layout: model.layout, gradientReady: plan.gradientReady, count: buckets.ranges.first?.upperBound ?? 0,
        scalars: scalars)
      for (bucket, ready) in same.ready.enumerated() {
        let meeting = plan.meetings.firstIndex { $0.instructions >= ready } ?? plan.meetings.count
        last[bucket] = max(last[bucket], meeting)
      }
    }
    return last
  }
}
