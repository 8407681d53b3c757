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
  public var profileSteps: [StepProfile] {
    step.map {
      StepProfile(
        name: $0.instruction.operation.name, scope: $0.instruction.scope, flops: $0.flops, bytes: $0.bytes)
    }
  }
}

extension Recorder {
  /// Instructions recorded so far.
  public var instructionCount: Int { instructions.count }
}
