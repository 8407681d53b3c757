import Tensors

/// Inputs without targets, from a file: what a trained model is asked about.
///
/// Bytes for an image model are pixels, and are scaled as the set's own; other numbers are taken as they are, so they must
/// be what the model saw in training.
public enum InputFile {
  /// The endings that are known, for messages.
  public static let endings = ".npy, .csv, .idx or -ubyte, each also with .gz"

  /// Whether a name is that of a file that can be read.
  public static func isKnown(_ path: String) -> Bool {
    let name = stem(path)
    return name.hasSuffix(".npy") || name.hasSuffix(".csv") || name.hasSuffix(".idx") || name.hasSuffix("ubyte")
  }

  private static func stem(_ path: String) -> String {
    path.hasSuffix(".gz") ? String(path.dropLast(3)) : path
  }

  /// Reads a file of samples for a model of `dataset`; each row becomes a sample of the data set's shape.
  public static func read(_ path: String, as dataset: Dataset) throws(DataError) -> any DataSource {
    let name = stem(path)
    let wanted = dataset.test.inputShape
    if name.hasSuffix(".csv") {
      let file = try CSVFile(path, separator: UInt8(ascii: ","), header: nil)
      var numbers: [Float] = []
      for row in file.rows {
        for field in row.fields {
          guard let number = Float(field) else {
            throw DataError.malformed("\(path):\(row.line)", "`\(field)` is not a number")
          }
          numbers.append(number)
        }
      }
      return try source(path, [file.rows.count, file.width], numbers, dataset)
    }
    if name.hasSuffix(".npy") {
      let file = try NPYFile(path)
      if file.type == .uint8, let pixels = dataset.test.pixels {
        try check(path, file.shape, wanted)
        let bytes = file.withBytes { ByteBlock.copy(Array($0)) }
        return pixels.source(bytes, count: file.shape[0])
      }
      if case .tokens(let vocabulary) = dataset.test.inputType {
        guard let tokens = file.integers() else {
          throw DataError(.unsuitable, "\(path) holds \(file.type.rawValue); the model takes tokens, whole numbers")
        }
        return try source(path, file.shape, tokens: tokens, vocabulary, dataset)
      }
      return try source(path, file.shape, file.floats(), dataset)
    }
    let file = try IDXFile(path)
    let shape = Shape(file.extents)
    if let bytes = file.bytes, let pixels = dataset.test.pixels {
      try check(path, shape, wanted)
      return pixels.source(bytes, count: shape[0])
    }
    return try source(
      path, shape, file.bytes.map { $0.bytes.map { Float($0) } } ?? file.integers.map { Float($0) }, dataset)
  }

  /// Rows must hold as many scalars as a sample, in its shape; a row of all its numbers, or an image without the axis of its
  /// one channel, will do.
  private static func check(_ path: String, _ shape: Shape, _ wanted: Shape) throws(DataError) {
    let row = shape.rank > 0 ? shape.sample : []
    let fits =
      row == wanted || row == [wanted.count] || (wanted.rank == 3 && wanted[2] == 1 && row == [wanted[0], wanted[1]])
    guard shape.rank > 1, fits else {
      let own = wanted.dimensions.map(String.init).joined(separator: ", ")
      throw DataError(.unsuitable, "\(path) is \(shape) and the model takes [n, \(own)]; give inputs of that shape")
    }
    guard shape[0] > 0, shape[0] <= Int(Int32.max) else {
      throw DataError(.unsuitable, "\(path) holds \(shape[0]) samples; give at least 1 and fewer than 2,147,483,648")
    }
  }

  private static func source(
    _ path: String, _ shape: Shape, _ numbers: [Float], _ dataset: Dataset
  ) throws(DataError) -> any DataSource {
    try check(path, shape, dataset.test.inputShape)
    guard dataset.test.inputType == .float32 else {
      throw DataError(.unsuitable, "\(path) holds numbers and the model takes tokens; give whole numbers as .npy")
    }
    let rows = ByteBlock.make(4 * numbers.count) { target in numbers.withUnsafeBytes { target.copyMemory(from: $0) } }
    return InputSource(rows, count: shape[0], like: dataset.test)
  }

  private static func source(
    _ path: String, _ shape: Shape, tokens: [Int32], _ vocabulary: Int, _ dataset: Dataset
  ) throws(DataError) -> any DataSource {
    try check(path, shape, dataset.test.inputShape)
    if let other = tokens.first(where: { $0 < 0 || $0 >= vocabulary }) {
      throw DataError(.unsuitable, "\(path) holds token \(other); the model knows 0 to \(vocabulary - 1)")
    }
    let rows = ByteBlock.make(4 * tokens.count) { target in tokens.withUnsafeBytes { target.copyMemory(from: $0) } }
    return InputSource(rows, count: shape[0], like: dataset.test)
  }
}

/// Inputs in memory; every target is zero.
final class InputSource: DataSource {
  let count: Int
  let inputShape: Shape
  let inputType: InputType
  let targetShape: Shape
  let targetType: TargetType
  private let rows: ByteBlock

  /// Rows one after another, of samples like another source's.
  init(_ rows: ByteBlock, count: Int, like other: any DataSource) {
    precondition(rows.count == 4 * count * other.inputShape.count, "\(rows.count) bytes for \(count) samples")
    self.rows = rows
    self.count = count
    inputShape = other.inputShape
    inputType = other.inputType
    targetShape = other.targetShape
    targetType = other.targetType
  }

  func read(
    _ sample: Int, epoch: UInt64, into input: UnsafeMutableRawPointer, targets: UnsafeMutableRawPointer
  ) {
    precondition(sample >= 0 && sample < count, "sample \(sample) of \(count)")
    let size = 4 * inputShape.count
    input.copyMemory(from: rows.base + sample * size, byteCount: size)
    targets.initializeMemory(as: UInt8.self, repeating: 0, count: 4 * targetShape.count)
  }

  func fingerprint(_ checksum: inout Checksum) {
    checksum.update(inputShape)
    checksum.update(count)
    checksum.update(rows.bytes)
  }
}

extension DataSource {
  /// The images that a source reads from, whose scale others can take over; nil where there are none.
  var pixels: ImageSource? {
    switch self {
    case let images as ImageSource: images
    case let subset as SubsetSource: subset.whole.pixels
    case let grouped as GroupedSource: grouped.whole.pixels
    default: nil
    }
  }
}
