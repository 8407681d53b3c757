/// A mean with its 95 % confidence interval by Student's t, which few seeds call for.
public struct Interval: Sendable, Hashable {
  /// The mean.
  public let mean: Double
  /// Half the width of the interval; 0 for a single value.
  public let half: Double

  /// Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom.
  private static let quantiles = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
  ]

  /// The interval of one or more values.
  public init(_ values: [Double]) {
    precondition(!values.isEmpty, "an interval of nothing")
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    self.mean = mean
    guard values.count > 1 else {
      half = 0
      return
    }
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    let freedom = values.count - 1
    let quantile = freedom <= Interval.quantiles.count ? Interval.quantiles[freedom - 1] : 1.96
    half = quantile * (variance / count).squareRoot()
  }
}
