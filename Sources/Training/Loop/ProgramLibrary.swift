import Datasets
import Layers
import Learning
import Strategies
import Tensors

/// The plans of one model: recorded once for each batch size and mode, then shared by all workers.
public struct ProgramLibrary: Sendable {
  /// How a batch becomes gradients of the model.
  public let learning: any ModelLearning
  /// The model.
  public var model: Model { learning.model }
  /// Its loss.
  public var objective: Objective { learning.objective }
  /// By phase, then by batch size.
  private let training: [[Int: Plan]]
  private let evaluation: [Int: Plan]
  private let moved: [(parameters: [Range<Int>], states: [Int])]
  /// Where the shards of a batch meet in training; the same in the plans of all batch sizes.
  public let meetings: [Meeting]

  /// Records and plans programs for the given batch sizes; with `modules`, which are then modules of a ``ModularLearning``,
  /// training is that of these alone.
  public init(
    _ learning: any ModelLearning, _ compute: Compute, training: [Int], evaluation: [Int], modules: Range<Int>? = nil
  ) {
    self.learning = learning
    let modular = modules.flatMap { range in (learning as? any ModularLearning).map { ($0, range) } }
    self.training = (0..<learning.phases).map { phase in
      Dictionary(
        uniqueKeysWithValues: Set(training).map { batch in
          let plan =
            modular.map { Programs.training($0, modules: $1, compute, batch: batch) }
            ?? Programs.training(learning, compute, batch: batch, phase: phase)
          return (batch, plan)
        })
    }
    meetings = self.training[0].values.first?.meetings ?? []
    for plan in self.training.flatMap(\.values) {
      let alike = plan.meetings.map(\.count) == meetings.map(\.count)
      precondition(alike, "shards of \(plan.batch) samples meet elsewhere than others")
    }
    let layout = learning.model.layout
    moved =
      learning.phases == 1 && modules == nil
      ? []
      : self.training.compactMap(\.values.first).map { plan in
        (plan.reached.parameters.map { layout.parameters[$0].range }, plan.reached.states)
      }
    self.evaluation = Dictionary(
      uniqueKeysWithValues: Set(evaluation).map { batch in
        (batch, Programs.inference(learning, reportsLoss: true, compute, batch: batch))
      })
  }

  /// The programs of an experiment's steps and evaluations.
  init(_ prepared: PreparedExperiment, _ schedule: BatchSchedule, modules: Range<Int>? = nil) {
    let (dataset, experiment) = (prepared.dataset, prepared.experiment)
    let sets = [dataset.validation, dataset.test].compactMap { $0 }
    self.init(
      prepared.learning, prepared.compute, training: schedule.shardSizes,
      evaluation: sets.flatMap { Evaluator.sizes(of: $0, size: experiment.training.evaluationBatch) },
      modules: modules)
  }

  /// Pool memory that the largest plan needs.
  public var poolBytes: Int { max(trainingPoolBytes, evaluation.values.map(\.poolBytes).max() ?? 0) }

  /// Pool memory that the largest plan of a training step needs.
  public var trainingPoolBytes: Int { training.flatMap(\.values).map(\.poolBytes).max() ?? 0 }

  /// Pool memory of a thread that computes so many shards: they take turns, unless they run side by side.
  public func poolBytes(shards: Int) -> Int {
    meetings.isEmpty ? poolBytes : poolBytes + max(0, shards - 1) * trainingPoolBytes
  }

  /// The plan of a batch size; for training, of a phase.
  func plan(_ mode: Mode, _ batch: Int, phase: Int = 0) -> Plan {
    guard let plan = (mode == .training ? training[phase] : evaluation)[batch] else {
      preconditionFailure("no \(mode) program for \(batch) samples")
    }
    return plan
  }

  /// What a phase moves: scalars of the parameters, in order, and places of states.  Nil where there is one phase: all.
  func moved(_ phase: Int) -> (parameters: [Range<Int>], states: [Int])? { moved.isEmpty ? nil : moved[phase] }

  /// Places of the parameters that have gradients; nil where all have.
  var owned: Set<Int>? { moved.isEmpty ? nil : training[0].values.first.map { Set($0.reached.parameters) } }

  /// Most bytes that a shard's program takes from the stage before, and leaves for the next.
  var activationBytes: (incoming: Int, outgoing: Int) {
    let plans = training.flatMap(\.values)
    return (plans.map(\.incomingBytes).max() ?? 0, plans.map(\.outgoing.bytes).max() ?? 0)
  }

  /// For each parameter, the instructions of a training step after which its gradient is final.
  func gradientReady(_ batch: Int) -> [Int] { plan(.training, batch).gradientReady }

  /// For each bucket, the number of the meeting after which its gradients are final in the plans of all batch sizes; the
  /// number of all meetings where they are so at the end.
  func meetings(_ buckets: Buckets, scalars: Int) -> [Int] {
    var last = buckets.ranges.map { _ in 0 }
    for plan in training[0].values {
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
