import Datasets
import Tensors

/// Samples of the shapes of a data set, and nothing else of it: random numbers, tokens and targets.
public struct RandomSource: DataSource {
  /// Samples it claims to have: enough that no run comes to its end.
  public let count: Int
  /// Shape of one input.
  public let inputShape: Shape
  /// What the scalars of an input are.
  public let inputType: InputType
  /// Shape of one target.
  public let targetShape: Shape
  /// What the scalars of a target are.
  public let targetType: TargetType

  /// The edges between the rows of a sample.
  public let graph: Graph?

  /// Samples of given shapes.
  public init(
    _ inputShape: Shape, _ inputType: InputType, targets: Shape, _ targetType: TargetType, _ graph: Graph? = nil,
    count: Int
  ) {
    (self.inputShape, self.inputType) = (inputShape, inputType)
    (targetShape, self.targetType) = (targets, targetType)
    self.graph = graph
    self.count = count
  }

  /// Samples like another source's.
  public init(like source: any DataSource, count: Int) {
    self.init(
      source.inputShape, source.inputType, targets: source.targetShape, source.targetType, source.graph, count: count)
  }

  /// A data set of such samples.
  public func dataset(name: String) -> Dataset {
    Dataset(
      name: name, origin: "random numbers of the shapes of \(name)", training: self,
      test: RandomSource(like: self, count: 1))
  }

  /// Draws a sample; the epoch changes nothing.
  public func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    var random = RandomStream(seed: 1, .test, epoch: UInt64(sample))
    switch inputType {
    case .float32:
      let scalars = input.assumingMemoryBound(to: Float.self)
      for i in 0..<inputShape.count { scalars[i] = random.normal() }
    case .tokens(let vocabulary):
      let tokens = input.assumingMemoryBound(to: Int32.self)
      for i in 0..<inputShape.count { tokens[i] = Int32(random.below(vocabulary)) }
    }
    switch targetType {
    case .classes(let count):
      let classes = targets.assumingMemoryBound(to: Int32.self)
      for i in 0..<targetShape.count { classes[i] = Int32(random.below(count)) }
    case .values:
      let values = targets.assumingMemoryBound(to: Float.self)
      for i in 0..<targetShape.count { values[i] = random.uniform() }
    }
  }

  /// The shapes are all there is.
  public func fingerprint(_ checksum: inout Checksum) { checksum.update(inputShape.count) }
}

/// Batches that lie in memory, handed out in turn, four steps of them.
final class RepeatedBatches: BatchSupply {
  private let batches: [Batch]
  private var place = 0

  /// The batches that `shards` see in a step, four times over with other samples.
  init(_ source: any DataSource, _ schedule: BatchSchedule, shards: Range<Int>) {
    var batches: [Batch] = []
    var sample: Int32 = 0
    for _ in 0..<4 {
      for shard in shards {
        for index in schedule.batches(0) {
          let count = schedule.sampler.range(batch: index, shard: shard).count
          let batch = Batch(capacity: count, of: source)
          batch.fill(from: source, samples: Array(sample..<sample + Int32(count))[...], epoch: 0)
          sample += Int32(count)
          batches.append(batch)
        }
      }
    }
    self.batches = batches
  }

  func next() -> Batch? {
    defer { place = place + 1 == batches.count ? 0 : place + 1 }
    return batches[place]
  }

  func recycle(_ batch: Batch) {}

  func stop() {}
}
