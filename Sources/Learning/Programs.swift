import Layers
import Tensors

/// Recordings of a model, planned: what workers, clients and evaluations run.
public enum Programs {
  /// Forward pass, losses and gradients of a batch, as a learning rule has them in a phase of training.
  public static func training(
    _ learning: any ModelLearning, _ compute: Compute, batch: Int, phase: Int = 0
  ) -> Plan {
    let recorder = Recorder(batch: batch, mode: .training, layout: learning.model.layout, compute: compute)
    learning.record(recorder, phase: phase)
    recorder.fillGradients()
    return Plan(recorder)
  }

  /// The same for consecutive modules of a rule, of which others run elsewhere: their gradients are left as they are.
  public static func training(
    _ learning: any ModularLearning, modules: Range<Int>, _ compute: Compute, batch: Int
  ) -> Plan {
    let recorder = Recorder(batch: batch, mode: .training, layout: learning.model.layout, compute: compute)
    learning.record(modules: modules, recorder)
    recorder.fillGradients { parameter in modules.contains { learning.modules[$0].owns(parameter.name) } }
    return Plan(recorder)
  }

  /// The loss of what the trained model makes of a batch; or, unless `reportsLoss`, that itself, as result 0.
  public static func inference(
    _ learning: any ModelLearning, reportsLoss: Bool, _ compute: Compute, batch: Int
  ) -> Plan {
    let recorder = Recorder(batch: batch, mode: .evaluation, layout: learning.model.layout, compute: compute)
    let outputs = learning.recordOutputs(recorder)
    if reportsLoss {
      _ = learning.objective.record(outputs, recorder)
    } else {
      recorder.result(outputs)
    }
    recorder.fuse()
    return Plan(recorder)
  }
}
