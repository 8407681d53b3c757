/// One kind of step of a recorded program: a small value that holds attributes, never memory.
///
/// Adding an operation is one file: the type, its kernel, its gradient, and a method of `Recorder` that checks shapes.
public protocol Operation: Sendable {
  /// Shown in profiles: `convolution`, `relu gradient`.
  var name: String { get }

  /// Pairs of an input and an output of equal size that may share memory when the input is not needed afterwards.
  var inPlace: [(input: Int, output: Int)] { get }

  /// How the Float64 numbers that output 0 consists of become those of the whole batch, where all its shards must meet before
  /// anything reads them; nil where a shard goes its own way.  What it makes is kept: no pass makes it again.
  var meeting: Meeting.Combination? { get }

  /// Whether its output is its input's memory, so that nothing is run.
  var isView: Bool { get }

  /// Whether it must stay where it was recorded although it depends on parameters alone.
  var staysInStep: Bool { get }

  /// Whether it can write an output in bfloat16: in place of Float32 or, `beside` it, as one more output at the end.
  /// `lower` sees in the types of the outputs what is asked for.
  func rounds(_ output: Int, beside: Bool) -> Bool

  /// Whether it can read an input in bfloat16 that was recorded as Float32, if the maker can round it.
  func readsRounded(_ input: Int) -> Bool

  /// Floating-point operations of one execution; a multiply and an add count as two.
  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int

  /// Chooses kernels for these shapes; called once a plan.
  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering

  /// Records what the gradients of the outputs contribute to those of the inputs.
  ///
  /// Reads `recorder.gradient(of:)` and calls `recorder.contribute` or writes to `recorder.gradientSlot(of:)`.
  func differentiate(_ call: Instruction, _ recorder: Recorder)
}

extension Operation {
  /// Nothing is shared.
  public var inPlace: [(input: Int, output: Int)] { [] }
  /// No shard needs another.
  public var meeting: Meeting.Combination? { nil }
  /// It computes something.
  public var isView: Bool { false }
  /// Work on parameters alone is hoisted out of the step.
  public var staysInStep: Bool { false }
  /// All outputs are Float32.
  public func rounds(_ output: Int, beside: Bool) -> Bool { false }
  /// All inputs are what they were recorded as.
  public func readsRounded(_ input: Int) -> Bool { false }
  /// Nothing worth counting.
  public func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 0 }
  /// Nothing flows back.
  public func differentiate(_ call: Instruction, _ recorder: Recorder) {}
}

/// An operation applied to values.
public struct Instruction: Sendable {
  /// What is done.
  public let operation: any Operation
  /// What it reads.
  public let inputs: [Value]
  /// What it writes, whole.
  public let outputs: [Value]
  /// The layer that recorded it, for messages and profiles.
  public let scope: String
  /// Number of the outermost layer that recorded it, nil outside of layers.
  let layer: Int?
  /// Whether it belongs to the gradient of another instruction.
  let isGradient: Bool

  /// Another operation in the same place.
  func with(
    _ operation: (any Operation)? = nil, inputs: [Value]? = nil, outputs: [Value]? = nil
  ) -> Instruction {
    Instruction(
      operation: operation ?? self.operation, inputs: inputs ?? self.inputs, outputs: outputs ?? self.outputs,
      scope: scope, layer: layer, isGradient: isGradient)
  }
}

/// A kernel of one instruction, bound to offsets; runs many times.
public typealias Kernel = (_ run: Run) -> Void

/// What `Operation.lower` decides: scratch memory, and how to make the kernel once offsets are known.
public struct Lowering: Sendable {
  /// Bytes of pool memory that only this instruction uses while it runs.
  public let scratchBytes: Int
  /// Makes the kernel of one executor.
  public let bind: @Sendable (Operands) -> Kernel

  /// A kernel without scratch memory unless told otherwise.
  public init(scratchBytes: Int = 0, bind: @escaping @Sendable (Operands) -> Kernel) {
    self.scratchBytes = scratchBytes
    self.bind = bind
  }
}

/// A place in memory: a block and an offset of bytes.
public struct Operand: Sendable {
  let space: Int
  let offset: Int
}

/// Where the values of one instruction lie.
public struct Operands: Sendable {
  /// Places of the inputs.
  public let inputs: [Operand]
  /// Places of the outputs.
  public let outputs: [Operand]
  /// Place of the scratch memory; meaningless if none was asked for.
  public let scratch: Operand
}
