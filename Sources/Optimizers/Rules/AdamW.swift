import Configuration

/// ``Adam`` with weights that decay on their own, not by way of the moments (Loshchilov & Hutter 2019, algorithm 2), as
/// PyTorch's `AdamW`: the decay is multiplied with the learning rate.
public struct AdamW: UpdateRule {
  /// What configurations call it.
  public static let name = "adamw"
  /// What it does, in a sentence.
  public static let help = "Adam with weight decay of its own, decoupled from gradients (Loshchilov & Hutter 2019)"
  /// PyTorch's.
  public static let defaultLearningRate = 1e-3

  let adam: Adam

  /// The rule with PyTorch's defaults.
  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0.01) {
    adam = Adam(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay, decoupled: true)
  }

  /// Reads the rule's keys.
  public init(options: inout Options) throws(ConfigurationError) {
    adam = try Adam(options: &options, weightDecay: 0.01, decoupled: true)
  }

  /// m and v.
  public var stateNames: [String] { adam.stateNames }

  /// Moves the parameters of a slice as above.
  public func update(_ slice: UpdateSlice) { adam.update(slice) }
}
