import Foundation
import Training

extension Interval {
  /// `0.9812 ± 0.0010`; without the second half where there is one value, `-` where there is none.
  static func text(_ values: [Double], _ format: String) -> String {
    guard !values.isEmpty else { return "-" }
    let interval = Interval(values)
    let mean = String(format: format, interval.mean)
    return values.count > 1 ? "\(mean) ± \(String(format: format, interval.half))" : mean
  }
}

extension JSONValue {
  /// A mean and half of its interval; null where there are no values.
  static func interval(_ values: [Double]) -> (mean: JSONValue, half: JSONValue) {
    guard !values.isEmpty else { return (.null, .null) }
    let interval = Interval(values)
    return (.number(interval.mean), .number(interval.half))
  }
}
