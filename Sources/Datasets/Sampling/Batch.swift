import Tensors

/// Room for some samples: inputs, targets and who they are, each in one block on a cache line.  Made once, filled often.
///
/// `@unchecked Sendable`: whoever holds it may write; prefetching hands it from thread to thread, never to two.
public final class Batch: @unchecked Sendable {
  /// Samples it has room for.
  public let capacity: Int
  /// Samples it holds.
  public private(set) var count = 0
  /// Shape of one input.
  public let inputShape: Shape
  /// Shape of one target.
  public let targetShape: Shape
  /// `[capacity, inputShape]`, Float32 numbers or Int32 tokens.
  public let input: UnsafeMutableRawPointer
  /// `[capacity, targetShape]`, Int32 classes or Float32 values.
  public let targets: UnsafeMutableRawPointer
  /// The key of each sample, of everything random about it.
  public let sampleKeys: UnsafeMutablePointer<UInt64>
  private let inputBytes: Int
  private let targetBytes: Int

  /// Room for `capacity` samples of a source.
  public init(capacity: Int, of source: any DataSource) {
    precondition(capacity >= 0, "a batch of \(capacity)")
    self.capacity = capacity
    inputShape = source.inputShape
    targetShape = source.targetShape
    inputBytes = 4 * source.inputShape.count
    targetBytes = 4 * source.targetShape.count
    input = Batch.zeros(capacity * inputBytes)
    targets = Batch.zeros(capacity * targetBytes)
    sampleKeys = Batch.zeros(8 * capacity).bindMemory(to: UInt64.self, capacity: capacity)
  }

  deinit {
    input.deallocate()
    targets.deallocate()
    UnsafeMutableRawPointer(sampleKeys).deallocate()
  }

  private static func zeros(_ bytes: Int) -> UnsafeMutableRawPointer {
    let size = max(bytes, Storage.alignment)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Storage.alignment)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    return memory
  }

  /// The inputs as numbers.
  public var inputFloats: UnsafeMutablePointer<Float> { input.assumingMemoryBound(to: Float.self) }
  /// The inputs as tokens.
  public var inputTokens: UnsafeMutablePointer<Int32> { input.assumingMemoryBound(to: Int32.self) }
  /// The targets as classes.
  public var targetClasses: UnsafeMutablePointer<Int32> { targets.assumingMemoryBound(to: Int32.self) }
  /// The targets as values.
  public var targetValues: UnsafeMutablePointer<Float> { targets.assumingMemoryBound(to: Float.self) }

  /// Reads samples into the first rows; allocates nothing.
  public func fill(from source: any DataSource, samples: ArraySlice<Int32>, epoch: UInt64) {
    precondition(samples.count <= capacity, "\(samples.count) samples into a batch for \(capacity)")
    precondition(
      4 * source.inputShape.count == inputBytes && 4 * source.targetShape.count == targetBytes,
      "samples \(source.inputShape) into a batch of \(inputShape)")
    var row = 0
    for sample in samples {
      source.read(
        Int(sample), epoch: epoch, into: input + row &* inputBytes, targets: targets + row &* targetBytes)
      sampleKeys[row] = source.key(Int(sample))
      row &+= 1
    }
    count = row
  }
}
