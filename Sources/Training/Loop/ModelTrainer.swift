import Communication
import Strategies
import Tensors

/// Moves a model step by step: where its gradients come from, and how ranks come to have the same.
///
/// There are three: ``SharedModelTrainer`` moves one model by gradients that ranks exchange, ``ReplicaTrainer`` moves a model
/// for each worker and brings them together, ``BoostingTrainer`` grows a model by units that it fits.
protocol ModelTrainer: AnyObject {
  /// The name of the strategy.
  var name: String { get }
  /// The model that is evaluated and kept.
  var store: ParameterStore { get }
  /// Changes whenever the weights in `store` do.
  var version: Int { get }
  /// The threads of this rank.
  var shards: ShardTeam { get }

  /// One optimizer step; throws before anything has moved when its loss is not finite.  Collective.
  func step(_ moment: StepMoment) throws -> StepSums
  /// Brings `store` up to date.  Collective.
  func refresh() throws(CommunicationError)
  /// Ends what is under way between ranks, after the last step.  Collective.
  func finish() throws(CommunicationError)
  /// Tells that `store` has the weights with which training begins, on all ranks; not called after a checkpoint was restored.
  func start() throws(CommunicationError)

  /// What the update rule remembers about the parameters, as far as this rank holds it.
  var optimizerStates: [StateBlock] { get }
  /// What else is remembered, as far as this rank holds it.
  var memory: [StrategyMemory] { get }
  /// Payload bytes that this rank sends in a step, by formula: the strategy's and the loop's own; nil where the strategy
  /// cannot say.
  func bytesSent(step: Int) -> Int?
}

extension ModelTrainer {
  /// Nothing is.
  func finish() throws(CommunicationError) {}
}

/// When a step is, and what it depends on beside weights and data.
struct StepMoment {
  /// Steps before this one.
  let index: Int
  let epoch: Int
  /// The phase of training, and the steps before this one in it.
  let phase: (number: Int, step: Int)
  let batches: Int
  /// Samples of the step, of all shards.
  let samples: Int
  let learningRate: Double
  /// Whether this rank was asked to stop.
  let stop: Bool
  /// Whether this rank is writing a checkpoint.
  let busy: Bool
  /// Whether this rank's clock says that a checkpoint is due.
  let due: Bool
}

/// Sums over all samples of a step, the same on all ranks.
struct StepSums {
  /// Mean loss.
  let loss: Double
  /// Correct samples.
  let correct: Double
  /// Whether any rank was asked to stop.
  let stop: Bool
  /// Whether any rank is writing a checkpoint.
  let busy: Bool
  /// Whether the clock says that a checkpoint is due.
  let due: Bool

  init(loss: Double, correct: Double, stop: Bool, busy: Bool, due: Bool) {
    (self.loss, self.correct, self.stop, self.busy, self.due) = (loss, correct, stop, busy, due)
  }

  /// The tail of a summed block.
  init(_ sum: Storage, _ block: GradientBlock) {
    loss = Double(sum.base[block.loss])
    correct = Double(sum.base[block.correct])
    stop = sum.base[block.stop] > 0
    busy = sum.base[block.busy] > 0
    due = sum.base[block.due] > 0
  }

  /// Throws, on all ranks alike, where the loss is not finite.
  func requireFinite(step: Int) throws(RunError) {
    guard loss.isFinite else {
      throw RunError(
        .diverged,
        "the loss of step \(step) is \(loss.isNaN ? "not a number" : "infinite"); lower "
          + "optimizer.learning-rate or look at the data")
    }
  }
}
