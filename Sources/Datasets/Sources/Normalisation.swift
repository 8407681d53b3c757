/// How numbers are scaled before a model sees them: (x − mean) / deviation, per channel.
public struct Normalisation: Sendable, Equatable {
  /// What is subtracted, per channel; one number serves all channels.
  public let mean: [Float]
  /// What is divided by, per channel; one number serves all channels.
  public let deviation: [Float]

  /// A normalisation by channel.
  public init(mean: [Float], deviation: [Float]) {
    precondition(!mean.isEmpty && mean.count == deviation.count, "\(mean.count) means, \(deviation.count) deviations")
    precondition(deviation.allSatisfy { $0 > 0 }, "a deviation that is not positive: \(deviation)")
    self.mean = mean
    self.deviation = deviation
  }

  /// Leaves numbers as they are.
  public static let identity = Normalisation(mean: [0], deviation: [1])

  /// The mean of a channel.
  func mean(of channel: Int) -> Float { mean.count == 1 ? mean[0] : mean[channel] }
  /// The deviation of a channel.
  func deviation(of channel: Int) -> Float { deviation.count == 1 ? deviation[0] : deviation[channel] }
}
