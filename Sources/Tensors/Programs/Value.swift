/// Names one array of a recorded program: an activation, a parameter, a gradient, an input.
public struct Value: Hashable, Sendable {
  let index: Int
}

/// How the scalars of a value are stored.
public enum ScalarType: Sendable {
  case float32, int32
  /// The upper half of a Float32: factors of products.
  case bfloat16
  /// Memory whose layout only one operation understands: packed weights, masks.
  case opaque

  /// Memory of `count` scalars; that of opaque values is said where they are recorded.
  func bytes(_ count: Int) -> Int { count * (self == .bfloat16 ? 2 : 4) }
}

/// The blocks of memory that a run of a program works on.  Values name a block and an offset, never a pointer.
public enum Space: Int, CaseIterable, Sendable {
  /// Activations and scratch, planned once.
  case pool
  /// The parameter block, in checkpoint order.
  case parameters
  /// The gradient block: one scalar a parameter, then one a state (see `ParameterLayout`).
  case gradients
  /// What a model remembers beside parameters, such as running means.
  case states
  /// The samples of the batch.
  case inputs
  /// Classes (Int32) or values (Float32) to be predicted.
  case targets
  /// Sums that a run reports, Float64: losses and counts.
  case metrics
  /// Numbers that are the same for all samples and that no gradient changes, such as prototypes of classes.
  case table
  /// What the program of an earlier stage made of the same samples.
  case incoming
  /// What the program of a later stage is to get.
  case outgoing
}

/// Where a value lies.
enum Residence: Sendable {
  /// Placed by the planner.
  case planned
  /// At a byte offset of a block that the caller brings.
  case fixed(Space, offset: Int)
  /// The same memory as another value, `offset` bytes into it.
  case view(Value, offset: Int)
}

/// What is known of a value when it is recorded.
public struct ValueDescription: Sendable {
  /// Logical shape; for opaque values the shape they stand for.
  public let shape: Shape
  /// Type of the scalars.
  public let type: ScalarType
  /// Memory it takes.
  public let bytes: Int
  let residence: Residence
  /// Whether a parameter can change it, so that gradients flow through it.
  let dependsOnParameters: Bool
}
