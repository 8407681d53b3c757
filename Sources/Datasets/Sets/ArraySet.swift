import Configuration
import Tensors

extension CatalogEntry {
  /// A folder of `.npy` files.
  package static let npy = CatalogEntry(
    name: "npy", summary: "a folder of x.npy and y.npy, or x_train.npy, y_train.npy, x_test.npy, y_test.npy",
    isImages: true
  ) { (options, image) throws(ConfigurationError) in
    let share = try ArraySet.testShare(&options)
    return { (folder, _) throws(DataError) in
      var arrays: [String: ArraySet.Value] = [:]
      for name in ArraySet.names {
        guard let path = firstFile(["\(name).npy", "\(name).npy.gz"], in: folder) else { continue }
        arrays[name] = ArraySet.Value(try NPYFile(path))
      }
      return try ArraySet(path: folder, arrays: arrays).parts(test: share, image)
    }
  }

  /// An `.npz` file.
  package static let npz = CatalogEntry(
    name: "npz", summary: "an .npz file with arrays x and y, or x_train, y_train, x_test and y_test", isImages: true
  ) { (options, image) throws(ConfigurationError) in
    let share = try ArraySet.testShare(&options)
    return { (path, _) throws(DataError) in
      let arrays = try NPZFile(path).arrays.mapValues { ArraySet.Value($0) }
      return try ArraySet(path: path, arrays: arrays).parts(test: share, image)
    }
  }

  /// A safetensors file.
  package static let safetensors = CatalogEntry(
    name: "safetensors", summary: "a safetensors file with tensors x and y, or x_train, y_train, x_test and y_test",
    isImages: true
  ) { (options, image) throws(ConfigurationError) in
    let share = try ArraySet.testShare(&options)
    return { (path, _) throws(DataError) in
      let file = try SafetensorsFile.open(path)
      var arrays: [String: ArraySet.Value] = [:]
      for name in ArraySet.names where file.tensors[name] != nil { arrays[name] = try ArraySet.Value(file, name) }
      return try ArraySet(path: path, arrays: arrays).parts(test: share, image)
    }
  }
}

/// Arrays by name that make a set: inputs `x` and targets `y`, with a test part of their own or without.
///
/// Bytes `[n, height, width]` or `[n, height, width, channels]` are images; other inputs become Float32 as they are.  Whole
/// numbers `[n]` are classes, other targets values.
struct ArraySet {
  /// An array, whatever file it came from.
  struct Value {
    let shape: Shape
    let type: ScalarType
    let floats: [Float]
    let integers: [Int32]?

    init(_ array: NPYFile) {
      shape = array.shape
      type = array.type
      integers = array.type.isInteger ? array.integers() : nil
      floats = integers == nil ? array.floats() : []
    }

    init(_ file: SafetensorsFile, _ name: String) throws(DataError) {
      let entry = try file.entry(name)
      shape = entry.shape
      type = entry.type
      integers = entry.type.isInteger ? try file.integers(name) : nil
      floats = integers == nil ? try file.floats(name) : []
    }

    var numbers: [Float] { integers.map { $0.map { Float($0) } } ?? floats }
  }

  static let names = ["x", "y", "x_train", "y_train", "x_test", "y_test"]

  let path: String
  let arrays: [String: Value]

  static func testShare(_ options: inout Options) throws(ConfigurationError) -> Double {
    try options.number(
      "test", default: 0.2, in: .open01, "share of the samples that is the test part when there is no x_test")
  }

  func parts(test share: Double, _ image: ImageOptions) throws(DataError) -> Parts {
    if arrays["x_train"] != nil {
      let training = try source("x_train", "y_train", classes: nil, image)
      let test = try source("x_test", "y_test", classes: training.classCount, image)
      guard training.inputShape == test.inputShape, training.targetShape == test.targetShape,
        training.targetType == test.targetType
      else {
        throw DataError.malformed(
          path, "x_test \(test.inputShape) and y_test do not go with x_train \(training.inputShape) and y_train")
      }
      return Parts(training: training, test: test, black: (training as? ImageSource)?.black)
    }
    let whole = try source("x", "y", classes: nil, image)
    var parts = try Parts.split(whole, test: share, path: path)
    parts.black = (whole as? ImageSource)?.black
    return parts
  }

  private func array(_ name: String) throws(DataError) -> Value {
    guard let value = arrays[name] else {
      let found = arrays.isEmpty ? "none of them" : arrays.keys.sorted().joined(separator: ", ")
      throw DataError(
        .missing,
        "\(path) holds no array \(name); a set is x and y, or x_train, y_train, x_test, y_test; there is \(found)")
    }
    return value
  }

  private func source(
    _ inputs: String, _ targets: String, classes: Int?, _ image: ImageOptions
  ) throws(DataError) -> any DataSource {
    let x = try array(inputs)
    let y = try array(targets)
    guard x.shape.rank > 1, y.shape.rank > 0, x.shape[0] == y.shape[0], x.shape.count > 0 else {
      throw DataError.malformed(path, "\(inputs) \(x.shape) and \(targets) \(y.shape) are not samples with targets")
    }
    let isImage = x.type == .uint8 && (3...4).contains(x.shape.rank)
    let sample = isImage && x.shape.rank == 3 ? Shape(x.shape.sample.dimensions + [1]) : x.shape.sample
    let normalisation = try image.normalisation(.identity, channels: sample[-1])
    if let labels = y.integers, y.shape.count == y.shape[0] {
      let classes = try Labels.check(labels, classes: classes, path: "\(path), \(targets)")
      if isImage, let pixels = x.integers {
        return ImageSource(
          pixels: pixels.map { UInt8(truncatingIfNeeded: $0) }, shape: sample, labels: labels, classes: classes,
          normalisation: normalisation)
      }
      return TableSource(
        rows: x.numbers, shape: sample, targets: .classes(labels, classes), normalisation: normalisation)
    }
    return TableSource(
      rows: x.numbers, shape: sample, targets: .values(y.numbers, width: y.shape.sample.count),
      normalisation: normalisation)
  }
}
