import Configuration
import Tensors

extension CatalogEntry {
  /// Any table of comma-separated values.
  package static let csv = CatalogEntry(
    name: "csv", summary: "a table with one row a sample, plain or .gz; texts become categories"
  ) { (options, _) throws(ConfigurationError) in
    let set = try CSVSet(&options)
    return { (path, _) throws(DataError) in try set.parts(path) }
  }
}

/// The options of CSV files, and how a table becomes training and test rows.
struct CSVSet: Sendable {
  private var table = CSVTable()
  private let separator: UInt8
  private let header: Bool?
  private let testPath: String?
  private let testShare: Double
  private let standardise: Bool

  init(_ options: inout Options) throws(ConfigurationError) {
    table.label = try options.text(
      "label", default: "-1", "the column to predict: its name, or its number from 0, negative from the end")
    let target = try options.choice(
      "target", of: ["classes", "values"], default: "classes", "whether the label is a class or a number to regress on")
    table.regression = target == "values"
    table.ignored = try options.texts("ignore", default: [], "columns to leave out, by name or number")
    let missing = try options.choice(
      "missing", of: ["refuse", "drop"], default: "refuse", "what to do with rows that lack a value")
    table.dropsMissing = missing == "drop"
    header = try options.optionalFlag(
      "header", "whether the first line names the columns; by default it does when none of its fields is a number")
    let separators = ["comma": ",", "tab": "\t", "semicolon": ";", "space": " "] as [String: Unicode.Scalar]
    let between = try options.choice(
      "separator", of: ["comma", "tab", "semicolon", "space"], default: "comma", "what stands between fields")
    separator = UInt8(ascii: separators[between] ?? ",")
    testPath = try options.optionalText("test-path", "a second file with the test rows")
    testShare = try options.number(
      "test", default: 0.2, in: .open01, "share of the rows that is the test part when there is no test-path")
    standardise = try options.flag(
      "standardise", default: true, "scale each numeric column to mean 0 and deviation 1 of the training rows")
  }

  func parts(_ path: String) throws(DataError) -> Parts {
    let file = try CSVFile(path, separator: separator, header: header)
    let (training, columns) = try table.contents(file)
    var test: CSVTable.Contents?
    if let testPath {
      let held = try CSVFile(testPath, separator: separator, header: header)
      guard held.width == file.width else {
        throw DataError.malformed(testPath, "\(held.width) columns where \(path) has \(file.width)")
      }
      test = try table.contents(held, known: columns).0
    }

    // Which rows are test rows decides the scale, so the cut comes first.
    let names = table.regression ? [] : CSVTable.classNames(training.labels + (test?.labels ?? []))
    guard table.regression || names.count <= 65536 else {
      throw DataError(.unsuitable, "\(path): \(names.count) classes; set `target: values` to regress on the label")
    }
    let whole = try source(training, names, scale: nil, path: path)
    if let test {
      let scale = standardise ? scale(whole, columns) : nil
      return Parts(
        training: try source(training, names, scale: scale, path: path),
        test: try source(test, names, scale: scale, path: testPath ?? path), classNames: names)
    }
    var parts = try Parts.split(whole, test: testShare, path: path)
    if standardise {
      let scale = scale(parts.training, columns)
      parts = try Parts.split(try source(training, names, scale: scale, path: path), test: testShare, path: path)
    }
    parts.classNames = names
    return parts
  }

  private func source(
    _ contents: CSVTable.Contents, _ names: [String], scale: Normalisation?, path: String
  ) throws(DataError) -> TableSource {
    let targets: TableSource.Targets
    if table.regression {
      var values: [Float] = []
      for (row, label) in contents.labels.enumerated() {
        guard let value = Float(label), value.isFinite else {
          throw DataError.malformed(path, "label `\(label)` of row \(row + 1) is not a number")
        }
        values.append(value)
      }
      targets = .values(values, width: 1)
    } else {
      var numbers: [String: Int32] = [:]
      for (number, name) in names.enumerated() { numbers[name] = Int32(number) }
      targets = .classes(contents.labels.map { numbers[$0] ?? 0 }, names.count)
    }
    return TableSource(
      rows: contents.numbers, shape: [contents.inputs.count], targets: targets, normalisation: scale ?? .identity)
  }

  /// Mean and deviation of the numeric inputs over a source's rows; categories and constant columns stay as they are.
  private func scale(_ source: any DataSource, _ columns: [CSVTable.Column]) -> Normalisation {
    let width = source.inputShape.count
    var numeric: [Bool] = []
    for column in columns {
      switch column {
      case .numeric: numeric.append(true)
      case .categorical(let values): numeric += values.map { _ in false }
      }
    }
    let batch = Batch(capacity: 1, of: source)
    var sums = [Double](repeating: 0, count: width)
    var squares = sums
    for pass in 0...1 {
      for sample in 0..<source.count {
        source.read(sample, epoch: 0, into: batch.input, targets: batch.targets)
        for i in 0..<width {
          let value = Double(batch.inputFloats[i])
          if pass == 0 {
            sums[i] += value / Double(source.count)
          } else {
            squares[i] += (value - sums[i]) * (value - sums[i]) / Double(source.count)
          }
        }
      }
    }
    var mean = [Float](repeating: 0, count: width)
    var deviation = [Float](repeating: 1, count: width)
    for i in 0..<width where numeric[i] && squares[i] > 0 {
      mean[i] = Float(sums[i])
      deviation[i] = max(Float(squares[i].squareRoot()), .leastNormalMagnitude)
    }
    return Normalisation(mean: mean, deviation: deviation)
  }
}
