import Tensors

/// Rows of Float32 numbers of any shape in memory, each with a class or with values to regress on.
public final class TableSource: DataSource {
  /// What the rows are to predict.
  public enum Targets: Sendable {
    /// One class a row, in 0..<classes.
    case classes([Int32], Int)
    /// `width` values a row, row after row.
    case values([Float], width: Int)
  }

  /// Samples.
  public let count: Int
  /// Shape of one input.
  public let inputShape: Shape
  /// Shape of one target.
  public let targetShape: Shape
  /// What the scalars of a target are.
  public let targetType: TargetType

  private let rows: ByteBlock
  private let targets: ByteBlock

  /// What the scalars of an input are.
  public var inputType: InputType { .float32 }

  /// Rows of `shape`, one after another.
  init(rows: ByteBlock, shape: Shape, targets: Targets) {
    inputShape = shape
    self.rows = rows
    switch targets {
    case .classes(let labels, let classes):
      count = labels.count
      targetShape = []
      targetType = .classes(classes)
      self.targets = ByteBlock.make(4 * labels.count) { target in
        labels.withUnsafeBytes { target.copyMemory(from: $0) }
      }
    case .values(let values, let width):
      precondition(width > 0 && values.count % width == 0, "\(values.count) values in rows of \(width)")
      count = values.count / width
      targetShape = [width]
      targetType = .values
      self.targets = ByteBlock.make(4 * values.count) { target in
        values.withUnsafeBytes { target.copyMemory(from: $0) }
      }
    }
    precondition(rows.count == 4 * count * shape.count, "\(rows.count / 4) scalars for \(count) rows of \(shape)")
  }

  /// Rows of `shape`, one after another, each normalised along its last axis.
  public convenience init(
    rows: [Float], shape: Shape, targets: Targets, normalisation: Normalisation = .identity
  ) {
    let channels = max(1, shape.rank == 0 ? 1 : shape[-1])
    let block = ByteBlock.make(4 * rows.count) { target in
      let output = target.bindMemory(to: Float.self)
      for i in 0..<rows.count {
        let channel = i % channels
        output[i] = (rows[i] - normalisation.mean(of: channel)) / normalisation.deviation(of: channel)
      }
    }
    self.init(rows: block, shape: shape, targets: targets)
  }

  /// Writes one sample.
  public func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets target: UnsafeMutableRawPointer
  ) {
    precondition(sample >= 0 && sample < count, "sample \(sample) of \(count)")
    let size = 4 * inputShape.count
    input.copyMemory(from: rows.base + sample * size, byteCount: size)
    let width = 4 * targetShape.count
    target.copyMemory(from: targets.base + sample * width, byteCount: width)
  }

  /// Feeds shapes and content to a checksum.
  public func fingerprint(_ checksum: inout Checksum) {
    checksum.update(inputShape)
    checksum.update(count)
    checksum.update(targets.bytes)
    checksum.update(rows.bytes)
  }
}
