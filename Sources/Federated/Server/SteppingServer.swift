import Tensors

/// What a server makes of the mean change of the parameters.
protocol ServerStep {
  /// What it remembers, for checkpoints.
  var memory: [ServerMemory] { get }
  /// change ← the step that the server makes, of `count` parameters.
  func transform(_ change: UnsafeMutablePointer<Float>, count: Int, _ outcome: RoundOutcome)
}

extension ServerStep {
  /// Nothing.
  var memory: [ServerMemory] { [] }
}

/// A server that moves the model by a step of its own.
///
/// Steps are of parameters; states, such as the running statistics of batch normalisation, are plainly averaged: they are no
/// minimisers of anything.  The plan shares the whole model and uploads its change as part 0.
final class SteppingServer<Step: ServerStep>: ServerHalf {
  private let step: Step
  private let plan: FederatedPlan
  private let broadcast: Broadcast

  init(_ step: Step, _ plan: FederatedPlan, _ broadcast: Broadcast) {
    self.step = step
    self.plan = plan
    self.broadcast = broadcast
  }

  var memory: [ServerMemory] { step.memory }

  func combine(_ outcome: RoundOutcome) {
    step.transform(outcome.mean(0), count: broadcast.model.parameters.count, outcome)
    plan.shared.add(outcome.mean(0), to: broadcast.model)
  }
}
