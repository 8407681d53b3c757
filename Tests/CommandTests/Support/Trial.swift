import Foundation
import Strategies
import Testing

/// A training whose result must not depend on how it is run: an experiment or a configuration, with changes.
struct Trial: Sendable, CustomTestStringConvertible {
  /// Of ``Experiments``, or of the folder `configs`.
  let name: String
  let changes: [String]

  init(name: String, changes: [String]) {
    self.name = name
    self.changes = changes
  }

  init(_ name: String, _ changes: String...) { self.init(name: name, changes: changes) }

  var testDescription: String { ([name] + changes).joined(separator: " ") }

  /// Arguments of a verb that trains.
  var words: [String] {
    let isConfiguration = name.contains("-")
    let folder = isConfiguration ? CommandLineTool.repository.appendingPathComponent("configs").path + "/" : ""
    return ["\(folder)\(name).yaml"] + changes.flatMap { ["--set", $0] }
  }

  /// All of them: every model, optimizer and strategy.
  static let all = models + optimizers + strategies + configurations

  /// Logical shards: no more ranks can train it.
  var shards: Int { changes.contains("training.shards=7") ? 7 : 8 }

  /// A step within the run.
  var middle: Int { name.contains("-mlp") || name.contains("-resnet") ? 1 : 3 }

  /// Dropout, clipping, accumulation and validation; batch normalisation and augmentation; a residual network; a transformer.
  /// Eight shards throughout, a last batch of fewer samples than that among them.
  static let models = [
    Trial("mlp", "training.shards=8"),
    Trial("mlp", "training.shards=7", "training.accumulate=1"),
    Trial("cnn", "training.shards=8", "training.accumulate=2"),
    Trial("photographs", "training.shards=8"),
    Trial("photographs", "training.shards=8", "model.synchronised=true"),
    Trial("gpt", "training.shards=8"),
    Trial("recurrent"),
  ]

  /// Every rule, with the parts of it that have memory, and each schedule.
  static let optimizers = [
    "{name: sgd, learning-rate: 0.05, momentum: 0.9, nesterov: true, weight-decay: 1e-3, schedule: {name: step, every: 1}}",
    "{name: adam, learning-rate: 3e-3, weight-decay: 0.1, schedule: one-cycle}",
    "{name: adamw, learning-rate: 3e-3, weight-decay: 0.1, schedule: cosine, warmup-steps: 2}",
    "{name: rmsprop, learning-rate: 1e-3, momentum: 0.5}",
    "{name: lars, learning-rate: 0.5, momentum: 0.9}",
  ].map { Trial("cnn", "training.shards=8", "training.clip=0.5", "optimizer=\($0)") }

  /// Every strategy, with phases that change within the run where it has any, on a network with statistics.
  static let strategies = StrategyCatalog.all.flatMap { type -> [Trial] in
    let clip = type.allowsClipping ? "training.clip=0.5" : "training.clip=null"
    let sgd = "optimizer={name: sgd, learning-rate: 0.05, momentum: 0.9, weight-decay: 1e-3}"
    let options = variants[type.name] ?? [("", sgd)]
    return options.map { options, optimizer in
      Trial(
        "cnn", "training.shards=8", "training.accumulate=2", "training.bucket=1024", clip, optimizer,
        "strategy={name: \(type.name)\(options.isEmpty ? "" : ", \(options)")}")
    }
  }

  private static let variants: [String: [(options: String, optimizer: String)]] = {
    let sgd = "optimizer={name: sgd, learning-rate: 0.05, momentum: 0.9, weight-decay: 1e-3}"
    let adam = "optimizer={name: adam, learning-rate: 1e-3, epsilon: 1e-3}"
    return [
      "zero": [("stage: 1", sgd), ("stage: 2", adam), ("stage: 2", "optimizer={name: lars, learning-rate: 0.5}")],
      "dgc": [("warmup: 5 steps", sgd)],
      "powersgd": [("start: 2", sgd)],
      "hierarchical": [("group: 2", sgd), ("group: 3", sgd)],
      // The phases change before and after the checkpoint in the middle.
      "onebit-adam": [("freeze-step: 2", adam), ("freeze-step: 4", adam)],
      "local-sgd": [("period: 4", sgd)],
      "post-local-sgd": [("start: 2 steps, period: 2", sgd)],
      "diloco": [("period: 4", adam)],
      "streaming-diloco": [("period: 4, fragments: 2, delay: 1, mixing: 0.5", sgd)],
    ]
  }()

  /// What lies in `configs`, with a few steps on small sets of the same kind.
  static let configurations = [
    Trial("digits-mlp", "training={steps: 4, batch: 23, shards: 8}"),
    Trial(
      "fashion-mlp", "training={steps: 2, batch: 23, shards: 8}", "data={format: idx, path: garments}",
      "model.widths=\(Way.isFull ? [2144, 2144, 2144, 2144, 2144] : [268, 268, 268, 268, 268])"),
    Trial("fashion-cnn", "training={steps: 4, batch: 23, shards: 8}", "data={format: idx, path: garments}"),
    Trial("mnist-mlp", "training={steps: 4, batch: 23, shards: 8}", "data={format: idx, path: garments}"),
    Trial(
      "cifar10-resnet20", "training={steps: 2, batch: 23, shards: 8}",
      "data={format: cifar, path: photographs, augment: {crop: 4, flip: true}}"),
    Trial(
      "shakespeare-gpt", "training={steps: 4, batch: 11, shards: 8, clip: 1, evaluate: 2 steps}",
      "data={format: text, path: text.txt, validation: 0.1}"),
  ]

  /// The same configurations with the sets that they name.
  static let published = configurations.map { trial in
    let steps = trial.changes.filter { $0.hasPrefix("training=") }
    return Trial(name: trial.name, changes: steps)
  }
}

/// Where published data sets lie; nil where nobody says.
let realData = ProcessInfo.processInfo.environment["NNDIST_DATA"]
