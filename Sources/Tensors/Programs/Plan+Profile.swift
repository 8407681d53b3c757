extension Plan {
  /// What a profile shows of one instruction of a step.
  public struct StepProfile: Sendable {
    /// Name of the operation: `convolution`.
    public let name: String
    /// The layer that recorded it.
    public let scope: String
    /// Floating-point operations of one execution.
    public let flops: Int
    /// Memory of its inputs and outputs, each counted once.
    public let bytes: Int
  }

  /// The instructions of a step, in order.
  public var profileSteps: [StepProfile] { step.map(StepProfile.init) }

  /// The work on parameters alone, once an update, in order.
  public var profilePreparation: [StepProfile] { preparation.map(StepProfile.init) }
}

extension Plan.StepProfile {
  init(_ planned: Plan.PlannedInstruction) {
    self.init(
      name: planned.instruction.operation.name, scope: planned.instruction.scope, flops: planned.flops,
      bytes: planned.bytes)
  }
}

extension Recorder {
  /// Instructions recorded so far.
  public var instructionCount: Int { instructions.count }
}
