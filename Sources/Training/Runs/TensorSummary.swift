import Datasets
import Tensors

/// What there is to say about an array of a file: one pass over its scalars.
struct TensorSummary {
  let name: String
  let type: Datasets.ScalarType
  let shape: Shape
  /// Of the finite scalars; nil when there are none.
  private(set) var minimum: Double?
  private(set) var maximum: Double?
  private(set) var mean: Double?
  /// How many scalars are not finite.
  private(set) var notFinite = 0

  var bytes: Int { shape.count * type.size }

  /// Looks at the scalars as Float32, or as Int32 where they are whole numbers that fit.
  init(
    _ name: String, type: Datasets.ScalarType, shape: Shape, integers: [Int32]?, floats: @autoclosure () -> [Float]
  ) {
    self.name = name
    self.type = type
    self.shape = shape
    if let integers {
      look(at: integers) { Double($0) }
    } else {
      look(at: floats()) { Double($0) }
    }
  }

  private mutating func look<Scalar>(at scalars: [Scalar], _ number: (Scalar) -> Double) {
    var sum = 0.0
    var least = Double.infinity, most = -Double.infinity
    var finite = 0
    for scalar in scalars {
      let value = number(scalar)
      guard value.isFinite else { continue }
      finite += 1
      sum += value
      least = min(least, value)
      most = max(most, value)
    }
    notFinite = scalars.count - finite
    if finite > 0 { (minimum, maximum, mean) = (least, most, sum / Double(finite)) }
  }

  var object: JSONObject {
    [
      "name": .text(name), "type": .text(type.rawValue), "shape": .list(shape.dimensions.map { .integer($0) }),
      "bytes": .integer(bytes), "minimum": minimum.map { .number($0) } ?? nil,
      "maximum": maximum.map { .number($0) } ?? nil, "mean": mean.map { .number($0) } ?? nil,
      "not_finite": .integer(notFinite),
    ]
  }

  /// A table of summaries, and their totals.
  static func table(_ summaries: [TensorSummary]) -> String {
    var table = TextTable(
      ["name", "type", "shape", "bytes", "minimum", "maximum", "mean", "finite"], leading: [0, 1, 2, 7])
    for summary in summaries {
      table.add([
        summary.name, summary.type.rawValue, "\(summary.shape)", "\(summary.bytes)",
        TextTable.number(summary.minimum), TextTable.number(summary.maximum), TextTable.number(summary.mean),
        summary.notFinite == 0 ? "yes" : "\(summary.notFinite) not",
      ])
    }
    let scalars = summaries.reduce(0) { $0 + $1.shape.count }
    let bytes = summaries.reduce(0) { $0 + $1.bytes }
    return table.text + "\(summaries.count) tensors, \(scalars) scalars, \(bytes) bytes\n"
  }
}
