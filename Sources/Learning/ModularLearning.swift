import Layers
import Tensors

/// A part of a model that learns from a loss of its own.
public struct LearningModule: Sendable {
  /// Its layers of the model.
  public let layers: Range<Int>
  /// What the names of its parameters and states begin with: its layers, and what the rule declared for it.
  public let scopes: [String]

  /// A module of some layers of a model and of what a rule declared under `auxiliary`.
  public init(_ model: Model, layers: Range<Int>, auxiliary: [String] = []) {
    self.layers = layers
    scopes = model.layers[layers].map(\.name) + auxiliary
  }

  /// Whether it owns the parameter or state of a name.
  public func owns(_ name: String) -> Bool { scopes.contains { name.hasPrefix($0 + ".") } }
}

/// A rule whose modules learn one after the other from what the one before passes on, through which no gradient flows.
///
/// A module's gradients are final, and its activations are free, when the next one begins.  Modules may run in different
/// programs, on different ranks.
public protocol ModularLearning: ModelLearning {
  /// The modules, first to last; the last one reports the loss.
  var modules: [LearningModule] { get }

  /// Shapes of what enters a module for a shard of `batch` samples; those of the first are what `recordEntry` makes.
  func shapes(enteringModule module: Int, batch: Int) -> [Shape]

  /// Records what enters the first module.
  func recordEntry(_ recorder: Recorder) -> [Value]

  /// Records forward pass, loss and gradients of a module; what it passes on is detached.
  func record(module: Int, _ entering: [Value], _ recorder: Recorder) -> [Value]
}

extension ModularLearning {
  /// All modules.
  public func record(_ recorder: Recorder, phase: Int) { record(modules: modules.indices, recorder) }

  /// Records consecutive modules: those that do not begin with the first take what enters them from `incoming`, those that
  /// do not end with the last leave what they pass on in `outgoing`.
  public func record(modules range: Range<Int>, _ recorder: Recorder) {
    recorder.reserveReport(2)
    var values =
      range.lowerBound == 0
      ? recordEntry(recorder)
      : shapes(enteringModule: range.lowerBound, batch: recorder.batch).map(recorder.incoming)
    for module in range {
      recorder.numberRandomLayers(fromBlock: module)
      values = record(module: module, values, recorder)
    }
    if range.upperBound < modules.count { values.forEach(recorder.send) }
  }

  /// The samples.
  public func recordEntry(_ recorder: Recorder) -> [Value] { [model.recordInput(recorder)] }

  /// What the layers before make of the samples.
  public func shapes(enteringModule module: Int, batch: Int) -> [Shape] {
    let first = modules[module].layers.lowerBound
    let signal = first == 0 ? model.input : model.layers[first - 1].layer.output
    return [signal.shape.batched(batch)]
  }
}
