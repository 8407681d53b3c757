import Layers
import Tensors

/// Recordings of a model, planned: what workers, clients and evaluations run.
public enum Programs {
  /// Forward pass, losses and gradients of a batch, as a learning rule has them.
  public static func training(
    _ model: Model, _ objective: Objective, _ rule: any LearningRule, _ compute: Compute, batch: Int
  ) -> Plan {
    let recorder = Recorder(batch: batch, mode: .training, layout: model.layout, compute: compute)
    rule.record(model, objective, recorder)
    return Plan(recorder)
  }

  /// Where an objective is given, the loss of the model's outputs; else the outputs themselves, as result 0.
  public static func inference(_ model: Model, _ objective: Objective?, _ compute: Compute, batch: Int) -> Plan {
    let recorder = Recorder(batch: batch, mode: .evaluation, layout: model.layout, compute: compute)
    let outputs = model.record(model.recordInput(recorder), recorder)
    if let objective {
      _ = objective.record(outputs, recorder)
    } else {
      recorder.result(outputs)
    }
    recorder.fuse()
    return Plan(recorder)
  }
}
