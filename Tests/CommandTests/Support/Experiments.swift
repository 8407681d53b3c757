import Foundation

/// Small configurations that have everything in them that could depend on who computes what.
enum Experiments {
  /// Dropout, clipping, accumulation, a last batch of two samples for four shards, validation.
  static let mlp = """
    name: mlp
    seed: 11
    model: {name: mlp, widths: [33, 17], dropout: 0.3}
    data: {name: digits, subset: 312, validation: 0.1}
    training: {epochs: 2, batch: 62, shards: 4, accumulate: 2, clip: 0.5, bucket: 1024, evaluation-batch: 100}
    optimizer: {name: adamw, learning-rate: 3e-3, weight-decay: 0.1, schedule: cosine, warmup-steps: 2}
    strategy: allreduce

    """

  /// Batch normalisation, dropout, augmentation and a last batch of three samples, on IDX images in the folder `images`.
  static let cnn = """
    name: cnn
    seed: 5
    model:
      layers:
        - convolution: {channels: 6, kernel: 3, padding: 1}
        - batch-norm
        - relu
        - residual: [{convolution: {channels: 6, kernel: 3, padding: 1, groups: 2}}, batch-norm]
        - max-pool: 2
        - flatten
        - dropout: 0.2
        - linear: 5
    data: {format: idx, path: images, augment: {crop: 1, flip: true}}
    training: {epochs: 2, batch: 40, shards: 4, label-smoothing: 0.1, evaluation-batch: 16}
    optimizer: {name: sgd, learning-rate: 0.05, momentum: 0.9, nesterov: true, weight-decay: 1e-3}

    """

  /// A photograph network on CIFAR's format in the folder `photographs`.
  static let photographs = """
    name: photographs
    seed: 6
    model: {name: resnet20, width: 4}
    data: {format: cifar, path: photographs, augment: {crop: 4, flip: true, padding: reflect}}
    training: {steps: 5, batch: 16, shards: 4}
    optimizer: {name: lars, learning-rate: 0.1}

    """

  /// A small transformer on the text `text.txt`.
  static let gpt = """
    name: gpt
    seed: 3
    model: {name: gpt, width: 16, heads: 2, depth: 2, context: 12, dropout: 0.1}
    data: {format: text, path: text.txt, validation: 0.1}
    training: {steps: 9, batch: 10, shards: 4, evaluate: 4 steps, clip: 1}
    optimizer: {name: adam, learning-rate: 1e-3}

    """

  /// Cells over time and a normalisation of every sample, on the same text.
  static let recurrent = """
    name: recurrent
    seed: 4
    model: {layers: [{embedding: 8}, {recurrent: {hidden: 9, cell: lstm}}, layer-norm, {dropout: 0.1}, {linear: 18}]}
    data: {format: text, path: text.txt, context: 10}
    training: {steps: 6, batch: 21, shards: 8, clip: 1}
    optimizer: {name: rmsprop, learning-rate: 1e-3}

    """

  /// Ends early: the learning rate is so high that the validation set soon gets no better.
  static let earlyStop = """
    name: early
    seed: 2
    model: {name: mlp, widths: [12]}
    data: {name: digits, subset: 400, validation: 0.2}
    training: {epochs: 60, batch: 40, shards: 4, early-stop: 2}
    optimizer: {name: sgd, learning-rate: 1.5, momentum: 0.9}

    """

  /// A folder with all of these and their data.
  static func folder() throws -> CommandLineTool {
    let tool = try CommandLineTool()
    for (name, text) in all { try tool.write(text, to: "\(name).yaml") }
    try GeneratedData.writeIDX(tool)
    try GeneratedData.writeIDX(tool, to: "garments", size: 28, classes: 10)
    try GeneratedData.writeCIFAR(tool)
    try tool.write(GeneratedData.text(), to: "text.txt")
    return tool
  }

  static let all = [
    "mlp": mlp, "cnn": cnn, "photographs": photographs, "gpt": gpt, "recurrent": recurrent, "early": earlyStop,
    "digits": CommandLineTool.digits,
  ]
}

extension CommandResult {
  /// The digest of the parameters; empty when there is none.
  var digest: String { json["parameters_digest"] as? String ?? "" }
}

extension CommandLineTool {
  /// Losses and accuracies of all steps and evaluations of a run, in order.
  func history(_ run: String) throws -> [[String]] {
    try text("\(run)/metrics.jsonl").split(separator: "\n").map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      return ["step", "set", "loss", "accuracy"].map { object[$0].map { "\($0)" } ?? "" }
    }
  }

  /// Takes a finished run back to a checkpoint: the later ones and the result are removed.
  func rewind(_ run: String, to step: Int) throws {
    let files = FileManager.default
    for name in try files.contentsOfDirectory(atPath: path("\(run)/checkpoints")) {
      let number = name.hasPrefix("step-") ? Int(name.dropFirst("step-".count)) ?? 0 : Int.max
      if number > step { try files.removeItem(atPath: path("\(run)/checkpoints/\(name)")) }
    }
    guard exists("\(run)/checkpoints/step-\(step)") else {
      throw Missing(description: "\(run) has no checkpoint of step \(step)")
    }
    try files.removeItem(atPath: path("\(run)/result.json"))
  }
}
