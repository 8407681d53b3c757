import Configuration

/// Keys that mean the same for several rules.
extension Options {
  mutating func weightDecay(default value: Double) throws(ConfigurationError) -> Double {
    try number("weight-decay", default: value, in: .nonNegative, "Pull of every weight towards zero.")
  }

  mutating func epsilon() throws(ConfigurationError) -> Double {
    try number("epsilon", default: 1e-8, in: .nonNegative, "Added to the denominator, against division by zero.")
  }
}
