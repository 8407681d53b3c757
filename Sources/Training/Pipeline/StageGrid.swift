import Communication
import Configuration
import Layers
import Learning
import Strategies

/// Where a rank stands when modules are spread over ranks: stages × replicas.
///
/// Ranks that share a model are neighbours; the last stage of the first replica is rank 0, because it knows the loss.
package struct StageGrid {
  /// This rank's stage, from 0, and how many there are.
  let stage: Int
  let stages: Int
  /// This rank's replica, from 0.
  let replica: Int
  /// What is spread.
  let learning: any ModularLearning
  /// The modules of each stage.
  let modules: [Range<Int>]
  /// The same stage of all replicas, which exchange gradients.
  let peers: any Communicator
  /// All stages of this replica, in order.
  let line: any Communicator

  /// Whether nothing comes before this stage.
  var isFirst: Bool { stage == 0 }
  /// Whether this stage reports the loss.
  var isLast: Bool { stage == stages - 1 }
  /// The rank whose clock counts: it decides for all stages behind it.
  var keepsTime: Bool { isFirst && replica == 0 }

  /// The grid of an experiment; nil where every rank has all modules.  Collective.
  init?(_ prepared: PreparedExperiment, _ communicator: any Communicator) throws {
    let stages = prepared.experiment.learning.stages
    guard stages > 1, let learning = prepared.learning as? any ModularLearning else { return nil }
    _ = try StageGrid.replicas(ranks: communicator.size, stages: stages)
    self.stages = stages
    self.learning = learning
    stage = StageGrid.stage(of: communicator.rank, stages: stages)
    replica = communicator.rank / stages
    modules = StageCut.modules(of: learning, stages: stages, prepared.compute)
    peers = try communicator.split(color: stage, key: replica)
    line = try communicator.split(color: replica, key: stage)
  }

  /// The stage of a rank.
  static func stage(of rank: Int, stages: Int) -> Int { stages - 1 - rank % stages }

  /// The modules of each stage of an experiment; one nil where every rank has all.
  static func modules(of prepared: PreparedExperiment) -> [Range<Int>?] {
    let stages = prepared.experiment.learning.stages
    guard stages > 1, let learning = prepared.learning as? any ModularLearning else { return [nil] }
    return StageCut.modules(of: learning, stages: stages, prepared.compute)
  }

  /// Models that so many ranks train; throws where stages do not divide ranks.
  package static func replicas(ranks: Int, stages: Int) throws(ConfigurationError) -> Int {
    guard ranks % stages == 0 else {
      throw ConfigurationError(
        "learning.stages is \(stages), which does not divide \(ranks) \(ranks == 1 ? "rank" : "ranks"); start a multiple of "
          + "\(stages), or leave out stages")
    }
    return ranks / stages
  }

  /// Throws where a rule or another part of a configuration does not go with its stages.
  static func check(_ experiment: Experiment, _ learning: any ModelLearning) throws(ConfigurationError) {
    let stages = experiment.learning.stages
    if stages == 1 { return }
    let name = type(of: experiment.learning.rule).name
    guard let modular = learning as? any ModularLearning, learning.phases == 1 else {
      throw ConfigurationError(
        "learning.stages is \(stages), but \(name) as it is set has no modules that learn at the same time from what those before "
          + "pass on; leave out stages")
    }
    guard modular.modules.count >= stages else {
      throw ConfigurationError(
        "learning.stages is \(stages), but \(name) makes \(modular.modules.count == 1 ? "one module" : "\(modular.modules.count) modules") "
          + "of model `\(learning.model.name)`: what learns together stays together")
    }
    let strategy = type(of: experiment.strategy()).name
    guard strategy == AllReduce.name else {
      throw ConfigurationError("learning.stages is \(stages), which goes with strategy: allreduce, not \(strategy)")
    }
    guard experiment.training.clip == nil else {
      throw ConfigurationError(
        "learning.stages is \(stages), but training.clip needs the gradients of all stages; leave one of them out")
    }
    guard experiment.compute.threads == 1 else {
      throw ConfigurationError(
        "learning.stages is \(stages), which needs compute.threads: 1; start more ranks instead of threads")
    }
    guard !learning.meets else {
      throw ConfigurationError(
        "learning.stages is \(stages), but \(learning.model.name) normalises over the whole batch; leave out synchronised"
      )
    }
  }
}
