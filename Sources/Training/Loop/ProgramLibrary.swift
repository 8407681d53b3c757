import Datasets
import Layers
import Learning
import Tensors

/// The plans of one model: recorded once for each batch size and mode, then shared by all workers.
public struct ProgramLibrary: Sendable {
  /// The model.
  public let model: Model
  /// Its loss.
  public let objective: Objective
  private let training: [Int: Plan]
  private let evaluation: [Int: Plan]

  /// Records and plans programs for the given batch sizes.
  public init(
    _ model: Model, _ objective: Objective, _ rule: any LearningRule, _ compute: Compute, training: [Int],
    evaluation: [Int]
  ) {
    self.model = model
    self.objective = objective
    self.training = Dictionary(
      uniqueKeysWithValues: Set(training).map { batch in
        let recorder = Recorder(batch: batch, mode: .training, layout: model.layout, compute: compute)
        rule.record(model, objective, recorder)
        return (batch, Plan(recorder))
      })
    self.evaluation = Dictionary(
      uniqueKeysWithValues: Set(evaluation).map { batch in
        (batch, ProgramLibrary.inference(model, objective, compute, batch: batch))
      })
  }

  /// The programs of an experiment's steps and evaluations.
  init(_ prepared: PreparedExperiment, _ schedule: BatchSchedule) {
    let (dataset, experiment) = (prepared.dataset, prepared.experiment)
    let sets = [dataset.validation, dataset.test].compactMap { $0 }
    self.init(
      prepared.model, prepared.objective, experiment.learning, prepared.compute, training: schedule.shardSizes,
      evaluation: sets.flatMap { Evaluator.sizes(of: $0, size: experiment.training.evaluationBatch) })
  }

  /// A program that computes outputs (result 0) and, where an objective is given, the loss.
  public static func inference(_ model: Model, _ objective: Objective?, _ compute: Compute, batch: Int) -> Plan {
    let recorder = Recorder(batch: batch, mode: .evaluation, layout: model.layout, compute: compute)
    let outputs = model.record(model.recordInput(recorder), recorder)
    if let objective {
      _ = objective.record(outputs, recorder)
    } else {
      recorder.result(outputs)
    }
    recorder.fuse()
    return Plan(recorder)
  }

  /// Pool memory that the largest plan needs.
  public var poolBytes: Int { (training.values.map(\.poolBytes) + evaluation.values.map(\.poolBytes)).max() ?? 0 }

  /// The plan of a batch size.
  func plan(_ mode: Mode, _ batch: Int) -> Plan {
    guard let plan = (mode == .training ? training : evaluation)[batch] else {
      preconditionFailure("no \(mode) program for \(batch) samples")
    }
    return plan
  }

  /// For each parameter, the instructions of a training step after which its gradient is final.
  func gradientReady(_ batch: Int) -> [Int] { plan(.training, batch).gradientReady }
}
