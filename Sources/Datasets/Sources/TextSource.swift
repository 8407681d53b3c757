import Tensors

/// Windows of `context` tokens of a text; the target of each position is the token that follows.
///
/// Windows do not overlap.  With a `shift` seed the first window of each stretch begins, per epoch, at a random place of
/// 0..<context, so that over the epochs a model sees every alignment; evaluation uses no shift.
public final class TextSource: DataSource {
  /// Samples.
  public let count: Int
  /// Shape of one input.
  public let inputShape: Shape
  /// What the scalars of an input are.
  public let inputType: InputType
  /// What the scalars of a target are.
  public let targetType: TargetType

  private let tokens: ByteBlock  // one byte or two a token
  private let wide: Bool
  private let context: Int
  private let shift: UInt64?
  private let stretches: [(start: Int, firstWindow: Int, range: Range<Int>)]

  /// Shape of one target.
  public var targetShape: Shape { inputShape }

  /// Windows of the given stretches of the tokens, which windows never leave.
  init(
    tokens: ByteBlock, wide: Bool, vocabulary: Int, context: Int, stretches ranges: [Range<Int>], shift: UInt64?
  ) {
    precondition(context > 0, "a context of \(context)")
    self.tokens = tokens
    self.wide = wide
    self.context = context
    self.shift = shift
    inputShape = [context]
    inputType = .tokens(vocabulary: vocabulary)
    targetType = .classes(vocabulary)
    var stretches: [(start: Int, firstWindow: Int, range: Range<Int>)] = []
    var windows = 0
    for range in ranges {
      stretches.append((range.lowerBound, windows, range))
      windows += TextSource.windows(in: range.count, context: context, shifted: shift != nil)
    }
    count = windows
    self.stretches = stretches
  }

  /// Windows that fit into so many tokens whatever the shift: each needs its context and one token more.
  static func windows(in tokens: Int, context: Int, shifted: Bool) -> Int {
    max(0, (tokens - 1 - (shifted ? context - 1 : 0)) / context)
  }

  /// The stretch that holds a sample: the last one that begins with it or before.
  private func stretch(_ sample: Int) -> Int {
    var first = 0
    var end = stretches.count
    while end &- first > 1 {
      let middle = (first &+ end) / 2
      if stretches[middle].firstWindow <= sample { first = middle } else { end = middle }
    }
    return first
  }

  /// Where the unshifted window of a sample starts.
  private func place(_ sample: Int) -> Int {
    let stretch = stretches[stretch(sample)]
    return stretch.start + (sample - stretch.firstWindow) * context
  }

  /// Where the window of a sample starts.
  private func start(_ sample: Int, _ epoch: UInt64) -> Int {
    var offset = place(sample)
    if let shift {
      var stream = RandomStream(seed: shift, .augmentation, epoch: epoch)
      offset += stream.below(context)
    }
    return offset
  }

  /// Writes one sample.
  public func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    precondition(sample >= 0 && sample < count, "sample \(sample) of \(count)")
    let first = start(sample, epoch)
    let inputs = input.assumingMemoryBound(to: Int32.self)
    let outputs = targets.assumingMemoryBound(to: Int32.self)
    let length = context
    if wide {
      let source = UnsafeRawPointer(tokens.base).assumingMemoryBound(to: UInt16.self) + first
      var i = 0
      while i < length {
        inputs[i] = Int32(source[i])
        outputs[i] = Int32(source[i &+ 1])
        i &+= 1
      }
    } else {
      let source = tokens.base + first
      var i = 0
      while i < length {
        inputs[i] = Int32(source[i])
        outputs[i] = Int32(source[i &+ 1])
        i &+= 1
      }
    }
  }

  /// Where the unshifted window starts in the whole text, so that cutting a stretch away renames no other window.
  public func key(_ sample: Int) -> UInt64 { UInt64(place(sample)) }

  /// The stretch of every sample.
  var stretchNumbers: [Int32] { (0..<count).map { Int32(stretch($0)) } }

  /// Feeds shapes and content to a checksum.
  public func fingerprint(_ checksum: inout Checksum) {
    checksum.update(inputShape)
    checksum.update(count)
    for stretch in stretches {
      checksum.update(stretch.range.lowerBound)
      checksum.update(stretch.range.upperBound)
    }
    checksum.update(tokens.bytes)
  }
}
