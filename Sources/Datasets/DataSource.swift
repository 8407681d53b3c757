import Tensors

/// What one scalar of an input is.
public enum InputType: Sendable, Hashable {
  /// Float32 numbers: images channels-last `[height, width, channels]`, tables `[features]`.
  case float32
  /// Int32 indices of a vocabulary of so many symbols: text `[context]`.
  case tokens(vocabulary: Int)
}

/// What one scalar of a target is.
public enum TargetType: Sendable, Hashable {
  /// Int32 in 0..<count, or −1 for what has no class: it is neither trained on nor counted.
  case classes(Int)
  /// Float32 numbers to regress on.
  case values
}

/// Random access to the samples of one set.  Ranks, epochs and federated partitions are lists of sample numbers.
///
/// Reading is safe from any thread, allocates nothing and cannot fail: files are checked when a source is made.
public protocol DataSource: Sendable {
  /// Samples, numbered from 0.
  var count: Int { get }
  /// Shape of one input: images `[height, width, channels]`, text `[context]`, tables `[features]`, graphs
  /// `[nodes, features]`.
  var inputShape: Shape { get }
  /// What the scalars of an input are; both kinds take four bytes.
  var inputType: InputType { get }
  /// Shape of one target: `[]` for one class, `[context]` for a class per position, `[k]` for k values.
  var targetShape: Shape { get }
  /// What the scalars of a target are; both kinds take four bytes.
  var targetType: TargetType { get }

  /// Writes one sample: `inputShape.count` scalars to `input`, `targetShape.count` scalars to `targets`.  The epoch moves
  /// what is random about a sample (crops, flips, text offsets) and nothing else.
  func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer)

  /// Terms that a sample adds to the mean loss and to accuracy: one a class or value, none for what has no class.
  var termsPerSample: Int { get }

  /// The edges between the rows of a sample's input `[nodes, features]`; nil where these are no nodes.
  var graph: Graph? { get }

  /// The number of a sample in the whole set that was read from files.  It is the key of everything random about the
  /// sample, so that cutting or reordering a set changes nothing about the samples that stay.
  func key(_ sample: Int) -> UInt64

  /// The class of a sample whose target is one class; nil for other targets.  For counting and partitioning, not for
  /// the training path.
  func label(_ sample: Int) -> Int?

  /// Who made each sample, where that is known: what natural partitions are made of.
  var groups: SampleGroups? { get }

  /// The same samples without what training changes of them at random, for judging models on them.
  var unaugmented: any DataSource { get }

  /// Feeds every byte that decides what is read, and the shapes, to a checksum.
  func fingerprint(_ checksum: inout Checksum)
}

extension DataSource {
  /// The sample's own number: right for every source that holds a whole set.
  public func key(_ sample: Int) -> UInt64 { UInt64(sample) }

  /// Classes a target may have; nil for values.
  public var classCount: Int? {
    if case .classes(let count) = targetType { return count }
    return nil
  }

  /// Every target counts.
  public var termsPerSample: Int { max(1, targetShape.count) }

  /// No graph.
  public var graph: Graph? { nil }

  /// This source, as most change nothing.
  public var unaugmented: any DataSource { self }

  /// Nobody in particular.
  public var groups: SampleGroups? { nil }

  /// Reads the sample and takes its class.
  public func label(_ sample: Int) -> Int? {
    guard case .classes = targetType, targetShape.count == 1 else { return nil }
    let input = UnsafeMutableRawPointer.allocate(byteCount: max(4, 4 * inputShape.count), alignment: 64)
    defer { input.deallocate() }
    let target = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    defer { target.deallocate() }
    target.initialize(to: 0)
    read(sample, epoch: 0, into: input, targets: UnsafeMutableRawPointer(target))
    return Int(target.pointee)
  }
}
