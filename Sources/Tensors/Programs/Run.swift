/// What a run of a program is given: pointers to its blocks and the numbers that differ from step to step.
public struct Run {
  let bases: UnsafePointer<UnsafeMutableRawPointer>
  /// One number a sample that keys its random numbers: its place in the data set.
  public let sampleKeys: UnsafePointer<UInt64>
  /// Epoch or round, which keys random numbers.
  public let epoch: UInt64
  /// The experiment's seed.
  public let seed: UInt64
  /// What a sample's loss counts: one over the targets of the whole step, of all shards.
  public let targetWeight: Float
  /// The samples of this shard over those of the whole step.
  public let share: Float

  /// The scalars at a place.
  @inline(__always)
  public subscript(operand: Operand) -> UnsafeMutablePointer<Float> {
    (bases[operand.space] + operand.offset).assumingMemoryBound(to: Float.self)
  }

  /// The bfloat16 numbers at a place.
  @inline(__always)
  func halves(_ operand: Operand) -> UnsafeMutablePointer<BFloat16> { scalars(operand) }

  /// The scalars at a place, stored in one way or another.
  @inline(__always)
  func scalars<Scalar: LaneScalar>(_ operand: Operand) -> UnsafeMutablePointer<Scalar> {
    (bases[operand.space] + operand.offset).assumingMemoryBound(to: Scalar.self)
  }

  /// The integers at a place.
  @inline(__always)
  public func integers(_ operand: Operand) -> UnsafeMutablePointer<Int32> {
    (bases[operand.space] + operand.offset).assumingMemoryBound(to: Int32.self)
  }

  /// The memory at a place.
  @inline(__always)
  public func bytes(_ operand: Operand) -> UnsafeMutableRawPointer { bases[operand.space] + operand.offset }

  /// The Float64 numbers at a place.
  @inline(__always)
  public func doubles(_ operand: Operand) -> UnsafeMutablePointer<Double> {
    (bases[operand.space] + operand.offset).assumingMemoryBound(to: Double.self)
  }
}
