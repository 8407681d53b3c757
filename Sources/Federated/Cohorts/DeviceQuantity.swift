import Configuration
import Glibc
import Tensors

/// A positive figure of clients' devices: the same for all, or drawn once for each.
enum DeviceQuantity: Sendable, Hashable {
  case constant(Double)
  /// exp of a normal number: median and standard deviation of the logarithm.
  case logNormal(median: Double, sigma: Double)
  case uniform(minimum: Double, maximum: Double)
  /// P(x > v) = (minimum / v)^shape
  case pareto(minimum: Double, shape: Double)

  private static let names = ["unlimited", "constant", "log-normal", "uniform", "pareto"]

  /// Reads `key: 100` or `key: {name: log-normal, median: 100}`; nil is without a limit, the default.
  static func read(
    _ key: String, unit: String, _ help: String, _ options: inout Options
  ) throws(ConfigurationError) -> DeviceQuantity? {
    if try options.holdsNumber(key, or: names, help) {
      return .constant(try options.number(key, in: .positive, unit: unit, help))
    }
    return try options.named(key, of: names, default: names[0], help) {
      (name, options) throws(ConfigurationError) -> DeviceQuantity? in
      switch name {
      case "constant": return .constant(try options.number("value", in: .positive, unit: unit, "that of all clients"))
      case "log-normal":
        return .logNormal(
          median: try options.number("median", in: .positive, unit: unit, "half of the clients have less"),
          sigma: try options.number(
            "sigma", default: 0.5, in: .between(0, 10), "standard deviation of the natural logarithm"))
      case "uniform":
        let minimum = try options.number("minimum", in: .positive, unit: unit, "the least a client can have")
        let maximum = try options.number("maximum", in: .positive, unit: unit, "the most a client can have")
        try options.require(
          minimum <= maximum, key: "maximum",
          "\(options.keyPath).maximum is \(maximum), less than minimum, \(minimum); exchange them")
        return .uniform(minimum: minimum, maximum: maximum)
      case "pareto":
        return .pareto(
          minimum: try options.number("minimum", in: .positive, unit: unit, "the least a client can have"),
          shape: try options.number(
            "shape", default: 2, in: .between(0.1, 1_000), "exponent of the tail: the smaller, the longer"))
      default: return nil
      }
    }
  }

  /// The figure of a client.
  func value(_ client: Int, seed: UInt64, _ stream: UInt64) -> Double {
    if case .constant(let value) = self { return value }
    var random = RandomStream(seed: seed, .selection, sample: UInt64(client), layer: stream)
    switch self {
    case .constant(let value): return value
    case .logNormal(let median, let sigma): return median * exp(sigma * random.normalDouble())
    case .uniform(let minimum, let maximum): return minimum + (maximum - minimum) * random.uniformDouble()
    case .pareto(let minimum, let shape): return minimum * pow(1 - random.uniformDouble(), -1 / shape)
    }
  }
}

extension Options {
  /// Whether a key that takes a name has a plain number, for short.  Throws for what is neither.
  mutating func holdsNumber(
    _ key: String, or names: [String], _ help: String
  ) throws(ConfigurationError) -> Bool {
    // Asking for the raw value describes the key, which its documentation must do by its names.
    guard !isDocumenting, has(key), let value = node(key, help) else { return false }
    if value.number != nil { return true }
    guard let text = value.text, !names.contains(text) else { return false }
    let meant = nearest(text, among: names).map { "; did you mean `\($0)`?" } ?? ""
    throw error(
      "\(keyPath).\(key) is \(value.found); expected a number, or one of \(names.joined(separator: ", "))\(meant)",
      key: key)
  }
}
