import Tensors

/// What is remembered of classes: the sum of their samples' embeddings and how many there were.
///
/// Sums are 64-bit integers in one scale for all (``scale``), and each embedding is rounded on its own, so that merging in any
/// order and grouping is pooling the samples, to the bit.  (R. Logan et al. 2021 upload a running mean that the server's own
/// went into; it would count twice.)  ``words`` is one buffer for one all-reduce.  Nothing is allocated after `init`.
///
/// `@unchecked Sendable`: the pointer never changes; who may write when is decided by whoever shares it.
public final class PrototypeMemory: @unchecked Sendable {
  /// Samples that the sums of one class have room for.
  public static let samplesPerClass = 1 << 22
  /// 32 binary places, whatever the cohort: coordinates of embeddings are at most 2⁸ in magnitude.
  static let scale = FixedPointScale(totalWeight: samplesPerClass)

  /// Classes there may be.
  public let classes: Int
  /// Scalars of an embedding.
  public let width: Int
  /// `[classes, width + 1]`: for each class Σq of each coordinate, then the number of samples.
  public let words: UnsafeMutableBufferPointer<Int64>
  /// Whose memory the words are.
  private let owner: AnyObject

  /// Integers that so many classes take.
  public static func wordCount(classes: Int, width: Int) -> Int { classes * (width + 1) }

  /// Remembers what stands in `words`, which belong to `owner`.
  init(classes: Int, width: Int, words: UnsafeMutableBufferPointer<Int64>, of owner: AnyObject) {
    precondition(classes >= 1 && width >= 1, "\(classes) classes of width \(width)")
    precondition(words.count == PrototypeMemory.wordCount(classes: classes, width: width), "\(words.count) words")
    self.classes = classes
    self.width = width
    self.words = words
    self.owner = owner
  }

  /// Remembers nothing, in words that lie in a block of scalars: as such they go into checkpoints and digests.
  public convenience init(classes: Int, width: Int) {
    let count = PrototypeMemory.wordCount(classes: classes, width: width)
    self.init(classes: classes, width: width, in: Storage(zeros: 2 * count))
  }

  /// Remembers what stands in a block of twice as many scalars as there are words.
  convenience init(classes: Int, width: Int, in storage: Storage) {
    let raw = UnsafeMutableRawPointer(storage.base)
    let words = UnsafeMutableBufferPointer(
      start: raw.assumingMemoryBound(to: Int64.self), count: storage.count / 2)
    self.init(classes: classes, width: width, words: words, of: storage)
  }

  private func sums(_ label: Int) -> UnsafeMutablePointer<Int64> {
    precondition(label >= 0 && label < classes, "class \(label) of \(classes)")
    // Never nil: there is a class.
    return words.baseAddress.unsafelyUnwrapped + label * (width + 1)
  }

  /// Forgets everything.
  public func clear() { words.update(repeating: 0) }

  /// Samples of a class.
  public func count(_ label: Int) -> Int { Int(sums(label)[width]) }

  /// Classes of which there are samples, ascending.
  public var known: [Int] { (0..<classes).filter { count($0) > 0 } }

  /// Samples of all classes.
  public var samples: Int { (0..<classes).reduce(0) { $0 + count($1) } }

  /// Adds a sample of a class.  False, and nothing added, where a coordinate is not finite or beyond 2⁸.
  public func add(_ embedding: UnsafePointer<Float>, to label: Int) -> Bool {
    let sums = sums(label)
    guard FixedPointScale.accepts(embedding, count: width) else { return false }
    precondition(sums[width] < PrototypeMemory.samplesPerClass, "too many samples of class \(label)")
    PrototypeMemory.scale.add(embedding, weight: 1, to: sums, count: width)
    sums[width] += 1
    return true
  }

  /// Adds what another remembers of other samples.
  public func merge(_ other: PrototypeMemory) {
    precondition(other.classes == classes && other.width == width, "merging memories of other classes or widths")
    merge(other.words)
  }

  /// Adds words of the same classes.
  func merge(_ words: UnsafeMutableBufferPointer<Int64>) {
    precondition(words.count == self.words.count, "merging \(words.count) words into \(self.words.count)")
    guard let source = words.baseAddress else { return }
    let (target, count) = (sums(0), words.count)
    var i = 0
    while i < count {
      target[i] = target[i] &+ source[i]
      i &+= 1
    }
  }

  /// The mean of a class's embeddings, zeros without samples.
  public func prototype(_ label: Int, into prototype: UnsafeMutablePointer<Float>) {
    let sums = sums(label)
    PrototypeMemory.scale.mean(sums, weight: Int(sums[width]), into: prototype, count: width)
  }

  /// Bytes of an upload: for each known class its number (4), its sums and its count (8 each).
  public var uploadBytes: Int { known.count * PrototypeMemory.bytesPerClass(width: width) }

  /// Bytes that one class takes in an upload.
  public static func bytesPerClass(width: Int) -> Int { 4 + 8 * (width + 1) }
}
