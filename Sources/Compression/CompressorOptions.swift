import Configuration

extension QSGD {
  /// Reads levels, buckets and norm.
  public init(options: inout Options) throws(ConfigurationError) {
    let levels = try options.integer(
      "levels", default: 7, in: 1...127,
      "levels beside 0 of a magnitude: 1 takes 2 bits a scalar, 7 takes 4, 127 takes 8")
    let bucket = try options.integer(
      "bucket", default: 512, in: 256...1 << 30, unit: "scalars", "scalars that share a norm, a multiple of 256")
    try options.require(
      bucket % 256 == 0, key: "bucket", "\(options.keyPath).bucket is \(bucket); take a multiple of 256")
    let norm = try options.choice(
      "norm", of: QSGD.Norm.allCases.map(\.rawValue), default: QSGD.Norm.euclidean.rawValue,
      "what the scalars of a bucket are divided by: their norm or their largest magnitude")
    self.init(levels: levels, bucket: bucket, norm: QSGD.Norm(rawValue: norm) ?? .euclidean)
  }
}

extension TernGrad {
  /// Reads the limit.
  public init(options: inout Options) throws(ConfigurationError) {
    let clip = try options.number(
      "clip", default: 2.5, in: .positive, "standard deviations that a parameter's scalars are clipped to")
    self.init(clip: Float(clip))
  }
}

/// The options of ``TopK``, and what becomes of the rest.
public struct TopKOptions: Sendable, Hashable {
  /// Share of the scalars that is sent.
  public let ratio: Double
  /// Whether what is not sent is added to the next vector.
  public let feedback: Bool

  /// Reads the share, and whether the rest is kept.
  public init(_ options: inout Options) throws(ConfigurationError) {
    ratio = try options.number(
      "ratio", default: 0.01, in: .positiveFraction, "share of every parameter's scalars that is sent")
    feedback = try options.flag("feedback", default: true, "whether what is not sent is added to what is sent next")
  }
}

/// The options of ``RandomK``.
public struct RandomKOptions: Sendable, Hashable {
  /// Share of the scalars that is sent.
  public let ratio: Double
  /// Whether values are divided by the share, and nothing is kept.
  public let isUnbiased: Bool

  /// Reads the share, and what becomes of the rest.
  public init(_ options: inout Options) throws(ConfigurationError) {
    ratio = try options.number(
      "ratio", default: 0.01, in: .positiveFraction, "share of every parameter's scalars that is sent")
    isUnbiased = try options.flag(
      "unbiased", default: false, "whether values are divided by the share, where otherwise the rest is kept for later")
  }
}
