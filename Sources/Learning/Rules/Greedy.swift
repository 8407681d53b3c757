import Configuration
import Layers
import Tensors

/// Greedy layer-wise learning (Belilovsky, Eickenberg, Oyallon 2019): blocks learn one after the other, each from a classifier
/// of its own on top of those before, which have learned and stay as they are; the last one learns with the model's head.
///
/// The authors let the last classifier predict, or an ensemble of all; here the model predicts, whose head learns with the last
/// block.  Each block has an equal share of the steps.
public struct Greedy: LearningRule {
  /// The name in configurations.
  public static let name = "greedy"
  /// What it does.
  public static let help = "blocks learn one after the other, each from a classifier of its own"

  private let count: Int?
  private let head: AuxiliaryHead

  /// Reads `blocks` and `head`.
  public init(options: inout Options) throws(ConfigurationError) {
    count = try Blocks.readCount(&options)
    head = try AuxiliaryHead.read(&options, default: .full)
  }

  /// One head a block but the last.
  public func prepare(_ model: Model, _ objective: Objective) throws(ConfigurationError) -> any ModelLearning {
    let blocks = try Blocks(model, count: count)
    return GreedyModel(local: try LocallyTrainedModel(model, objective, modules: blocks.modules, head))
  }
}

/// A model whose blocks learn in phases.
struct GreedyModel: ModelLearning {
  /// The blocks and their losses.
  let local: LocallyTrainedModel
  var model: Model { local.model }
  var objective: Objective { local.objective }
  var phases: Int { local.modules.count }

  /// The blocks before the phase's are recorded for evaluation, so their statistics stay too; a phase reports its own loss.
  func record(_ recorder: Recorder, phase: Int) {
    recorder.reserveReport(2)
    let layers = local.modules[phase].layers
    let (_, entering) = recorder.segment {
      recorder.evaluating { [model.record(model.recordInput(recorder), recorder, layers: 0..<layers.lowerBound)] }
    }
    recorder.numberRandomLayers(fromBlock: phase)
    let (segment, losses) = recorder.segment {
      let made = model.record(recorder.detach(entering[0]), recorder, layers: layers)
      return recorder.reporting {
        phase < local.losses.count
          ? local.losses[phase].record(made, recorder) : [objective.record(made, recorder)]
      }
    }
    recorder.differentiate(segment, losses: losses)
  }
}
