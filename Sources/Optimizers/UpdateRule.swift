import Configuration
import Tensors

/// How parameters move along their gradients: hyper-parameters only, a value that many optimizers may share.
///
/// A rule works scalar by scalar, so that any range of the parameter block may be updated alone and in any order with the
/// same bits.  A rule that also needs norms of whole parameters says so (``isLayerwise``) and gets them measured beforehand.
/// NaN and infinity in a gradient reach the parameter.
public protocol UpdateRule: Sendable {
  /// What configurations call it.
  static var name: String { get }
  /// What it does, in a sentence.
  static var help: String { get }
  /// The learning rate where none is given.
  static var defaultLearningRate: Double { get }

  /// Reads the rule's own keys.
  init(options: inout Options) throws(ConfigurationError)

  /// Names of the blocks it remembers, each as large as the parameters and zero at the start.  They name checkpoint entries.
  var stateNames: [String] { get }
  /// Whether each slice must lie within one parameter and come with its norms.
  var isLayerwise: Bool { get }

  /// Moves the parameters of a slice, in one pass over memory.
  func update(_ slice: UpdateSlice)
}

extension UpdateRule {
  /// Rules work scalar by scalar unless they say otherwise.
  public var isLayerwise: Bool { false }
}

/// Consecutive scalars that a rule is to move, and all it may know about them.
public struct UpdateSlice {
  /// The slice's first parameter.
  public let parameters: UnsafeMutablePointer<Float>
  /// The slice's first gradient.
  public let gradients: UnsafePointer<Float>
  /// Scalars in the slice.
  public let count: Int
  /// Updates made before this one.
  public let step: Int
  /// The rate of this step.
  public let learningRate: Double
  /// What every gradient is multiplied with first: the share that clipping leaves.
  public let gradientScale: Float
  /// The parameter that the slice belongs to; only for layerwise rules.
  public let layer: Layer?

  let states: [OptimizerState]
  /// Where the slice starts within the states.
  let offset: Int

  /// What a layerwise rule knows of the whole parameter.
  public struct Layer: Sendable {
    /// Axes of the parameter: 1 for biases and the weights of normalisation.
    public let axes: Int
    /// ‖w‖ before the update.
    public let parameterNorm: Double
    /// ‖g‖, with the gradient's scale.
    public let gradientNorm: Double
  }

  /// The slice's first scalar of a state, counted as in ``UpdateRule/stateNames``.
  public func state(_ index: Int) -> UnsafeMutablePointer<Float> { states[index].storage.base + offset }
}
