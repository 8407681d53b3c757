import Configuration

/// The key `federated.privacy`: user-level differential privacy by clipping changes and adding noise to their mean.
public struct PrivacyOptions: Sendable, Hashable {
  /// How long changes may be.
  public enum Clip: Sendable, Hashable {
    /// As long as they are, which only goes without noise.
    case none
    /// C.
    case fixed(Double)
    /// C follows a quantile of the norms; nil for a twentieth of the cohort.
    case adaptive(initial: Double, quantile: Double, rate: Double, countNoise: Double?)
  }

  /// Which bound the ε comes from.
  public enum Accountant: String, Sendable, CaseIterable {
    /// ``RDPAccountant``.
    case rdp
    /// ``PLDAccountant``.
    case pld
  }

  /// How long changes may be.
  public let clip: Clip
  /// z: deviations of the noise on the sum, in units of C.
  public let noise: Double
  /// δ.
  public let delta: Double
  /// The ε that may be spent; nil for any.
  public let budget: Double?
  /// Which bound the ε comes from.
  public let accountant: Accountant

  /// A mechanism.  Precondition: noise has a norm to go by.
  public init(clip: Clip, noise: Double, delta: Double = 1e-5, budget: Double? = nil, accountant: Accountant = .rdp) {
    precondition(noise == 0 || clip != .none, "noise for changes of any length")
    self.clip = clip
    self.noise = noise
    self.delta = delta
    self.budget = budget
    self.accountant = accountant
  }

  /// Reads the key; nil where it is absent or `none`.
  static func read(_ options: inout Options) throws(ConfigurationError) -> PrivacyOptions? {
    let (none, gaussian) = ("none", "gaussian")
    return try options.named(
      "privacy", of: [none, gaussian], default: options.has("privacy") ? gaussian : none,
      "differential privacy of clients: their changes are clipped, weigh the same, and noise is added to the mean"
    ) { (name, options) throws(ConfigurationError) in name == none ? nil : try PrivacyOptions(&options) }
  }

  private init(_ options: inout Options) throws(ConfigurationError) {
    clip = try PrivacyOptions.clip(&options)
    noise = try options.number(
      "noise", in: .nonNegative, "deviation of the noise on the sum of changes, in units of the norm that clips")
    try options.require(
      noise == 0 || clip != .none, key: "noise",
      "\(options.keyPath).noise is \(noise) without \(options.keyPath).clip; noise is measured by the norm that clips")
    delta = try options.number("delta", default: 1e-5, in: .open01, "δ of the ε that is told")
    budget = try options.optionalNumber("budget", in: .nonNegative, "ε that ends the run before it would be exceeded")
    let name = try options.choice(
      "accountant", of: Accountant.allCases.map(\.rawValue), default: Accountant.rdp.rawValue,
      "the bound behind ε: Rényi divergences, or privacy loss distributions, which are tighter and need Poisson cohorts"
    )
    accountant = Accountant(rawValue: name) ?? .rdp
  }

  /// `clip: 1.0` is short for a fixed norm.
  private static func clip(_ options: inout Options) throws(ConfigurationError) -> Clip {
    let key = "clip"
    if options.isNumber(key) { return .fixed(try options.number(key, in: .positive, "largest norm of a change")) }
    let names = ["none", "fixed", "adaptive"]
    return try options.named(
      key, of: names, default: names[0], "largest norm of a client's change: a number, or how it is found"
    ) { (name, options) throws(ConfigurationError) in
      switch name {
      case "fixed": return .fixed(try options.number("norm", in: .positive, "largest norm of a change"))
      case "adaptive":
        return .adaptive(
          initial: try options.number("initial", default: 0.1, in: .positive, "the norm of the first round"),
          quantile: try options.number("quantile", default: 0.5, in: .open01, "share of clients that are not clipped"),
          rate: try options.number("rate", default: 0.2, in: .positive, "rate at which the norm moves there"),
          countNoise: try options.optionalNumber(
            "count-noise", in: .positive, unit: "clients",
            "deviation of the noise on the count of clients that were not clipped; a twentieth of the cohort if absent")
        )
      default: return .none
      }
    }
  }
}
