import Tensors

/// Images of one byte a pixel and channel, kept as bytes, with one class each.
///
/// A pixel becomes (x / scale − mean) / deviation, in Float32 and in this order, which is what the usual PyTorch
/// transforms compute.  All 256 results of a channel are made once, so reading is one look-up a scalar.
public final class ImageSource: DataSource {
  /// Samples.
  public let count: Int
  /// Shape of one input.
  public let inputShape: Shape
  /// What the scalars of a target are.
  public let targetType: TargetType
  /// What a black pixel becomes, per channel: what padding is made of.
  public let black: [Float]

  private let pixels: ByteBlock
  private let labels: [Int32]
  private let tables: [Float]  // [channels, 256]

  /// What the scalars of an input are.
  public var inputType: InputType { .float32 }
  /// Shape of one target.
  public var targetShape: Shape { [] }

  /// Images of `shape` (`[height, width, channels]`) one after another, and their classes.
  init(
    pixels: ByteBlock, shape: Shape, labels: [Int32], classes: Int, scale: Float, normalisation: Normalisation
  ) {
    precondition(shape.rank == 3 && pixels.count == labels.count * shape.count, "\(pixels.count) pixels of \(shape)")
    let channels = shape[2]
    precondition([1, channels].contains(normalisation.mean.count), "\(normalisation.mean.count) means, \(shape)")
    self.pixels = pixels
    self.labels = labels
    count = labels.count
    inputShape = shape
    targetType = .classes(classes)
    var tables = [Float](repeating: 0, count: 256 * channels)
    for channel in 0..<channels {
      let mean = normalisation.mean(of: channel)
      let deviation = normalisation.deviation(of: channel)
      for value in 0..<256 { tables[256 * channel + value] = (Float(value) / scale - mean) / deviation }
    }
    self.tables = tables
    black = (0..<channels).map { tables[256 * $0] }
  }

  private init(_ pixels: ByteBlock, count: Int, like other: ImageSource) {
    precondition(pixels.count == count * other.inputShape.count, "\(pixels.count) pixels for \(count) images")
    self.pixels = pixels
    self.count = count
    labels = [Int32](repeating: 0, count: count)
    inputShape = other.inputShape
    targetType = other.targetType
    tables = other.tables
    black = other.black
  }

  /// Other images of the same shape, scaled as these are; they have no classes, which reads as class 0.
  func source(_ pixels: ByteBlock, count: Int) -> ImageSource { ImageSource(pixels, count: count, like: self) }

  /// Images of `shape` (`[height, width, channels]`) one after another, and their classes in 0..<classes.
  public convenience init(
    pixels: [UInt8], shape: Shape, labels: [Int32], classes: Int, scale: Float = 255,
    normalisation: Normalisation = .identity
  ) {
    precondition(labels.allSatisfy { $0 >= 0 && $0 < classes }, "a label outside 0..<\(classes)")
    self.init(
      pixels: .copy(pixels), shape: shape, labels: labels, classes: classes, scale: scale,
      normalisation: normalisation)
  }

  /// Writes one sample.
  public func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    precondition(sample >= 0 && sample < count, "sample \(sample) of \(count)")
    let size = inputShape.count
    let source = pixels.base + sample &* size
    let output = input.assumingMemoryBound(to: Float.self)
    let channels = black.count
    tables.withUnsafeBufferPointer { buffer in
      guard let table = buffer.baseAddress else { return }
      switch channels {
      case 1:
        // Eight pixels a load: the loop is bound by its loads.
        var i = 0
        while i &+ 8 <= size {
          let eight = UnsafeRawPointer(source + i).loadUnaligned(as: UInt64.self)
          output[i] = table[Int(truncatingIfNeeded: eight & 255)]
          output[i &+ 1] = table[Int(truncatingIfNeeded: eight >> 8 & 255)]
          output[i &+ 2] = table[Int(truncatingIfNeeded: eight >> 16 & 255)]
          output[i &+ 3] = table[Int(truncatingIfNeeded: eight >> 24 & 255)]
          output[i &+ 4] = table[Int(truncatingIfNeeded: eight >> 32 & 255)]
          output[i &+ 5] = table[Int(truncatingIfNeeded: eight >> 40 & 255)]
          output[i &+ 6] = table[Int(truncatingIfNeeded: eight >> 48 & 255)]
          output[i &+ 7] = table[Int(truncatingIfNeeded: eight >> 56)]
          i &+= 8
        }
        while i < size {
          output[i] = table[Int(source[i])]
          i &+= 1
        }
      case 3:
        var i = 0
        while i < size {
          output[i] = table[Int(source[i])]
          output[i &+ 1] = table[256 &+ Int(source[i &+ 1])]
          output[i &+ 2] = table[512 &+ Int(source[i &+ 2])]
          i &+= 3
        }
      default:
        var i = 0
        while i < size {
          var channel = 0
          while channel < channels {
            output[i &+ channel] = table[256 &* channel &+ Int(source[i &+ channel])]
            channel &+= 1
          }
          i &+= channels
        }
      }
    }
    labels.withUnsafeBufferPointer { targets.storeBytes(of: $0[sample], as: Int32.self) }
  }

  /// The class of a sample.
  public func label(_ sample: Int) -> Int? { Int(labels[sample]) }

  /// Feeds shapes and content to a checksum.
  public func fingerprint(_ checksum: inout Checksum) {
    checksum.update(inputShape)
    checksum.update(count)
    checksum.update(tables)
    checksum.update(labels)
    checksum.update(pixels.bytes)
  }
}
