import Configuration
import Layers
import Tensors

/// The section `training:` of a configuration: how long, in what portions, towards what.
public struct TrainingOptions: Sendable {
  /// When training ends.
  public enum Length: Sendable, Hashable { case epochs(Int), steps(Int) }
  /// Into how many logical shards a batch is cut.
  public enum Shards: Sendable, Hashable { case ranks, number(Int) }

  /// When training ends.
  public let length: Length
  /// Samples of a batch, over all shards.
  public let batch: Int
  /// Logical shards.
  public internal(set) var shards: Shards
  /// Batches of an optimizer step.
  public let accumulate: Int
  /// Largest norm of the gradient; nil for no clipping.
  public let clip: Double?
  /// The loss, where it is not the targets' own.
  public let loss: Objective.Loss?
  /// Share of each class target that is spread over all classes.
  public let labelSmoothing: Double
  /// How often the model is evaluated.
  public let evaluate: Quantity
  /// Samples of a chunk of evaluation.
  public let evaluationBatch: Int
  /// How often metrics carry the digest of the parameters, and ranks make sure that they hold the same; nil for never.
  public let digest: Quantity?
  /// Evaluations without improvement after which training stops; nil for never.
  public let patience: Int?
  /// Scalars of a bucket of gradients; nil for a size that suits the model.
  public let bucket: Int?
  /// Whether gradients are exchanged while others are still computed.
  public let overlap: Bool
  /// Whether what layers worked out is made again for the gradient.
  public let recompute: Bool

  init(_ options: inout Options) throws(ConfigurationError) {
    let epochs = try options.optionalInteger(
      "epochs", in: 1...1_000_000, unit: "epochs", "passes over the training set")
    let steps = try options.optionalInteger(
      "steps", in: 1...1_000_000_000, unit: "steps", "optimizer steps, instead of epochs")
    try options.require(
      epochs == nil || steps == nil, key: "steps", "training has both epochs and steps; give one of them")
    length = steps.map { .steps($0) } ?? .epochs(epochs ?? 1)
    if epochs == nil, steps == nil { options.resolve("epochs", as: .integer(1)) }
    batch = try options.integer(
      "batch", default: 128, in: 1...1 << 24, unit: "samples", "samples of a batch, over all ranks")
    let cut = try options.text(
      "shards", default: "ranks",
      "logical shards of a batch: a number, which makes the result independent of the count of "
        + "ranks, or `ranks` for ranks × threads")
    if cut == "ranks" {
      shards = .ranks
    } else if let number = Int(cut), number > 0, number <= 4096 {
      shards = .number(number)
      options.resolve("shards", as: .integer(number))
    } else {
      throw options.error(
        "training.shards is `\(cut)`; expected a whole number of 1 to 4096, or `ranks`", key: "shards")
    }
    accumulate = try options.integer(
      "accumulate", default: 1, in: 1...1 << 20, unit: "batches", "batches whose gradients one optimizer step uses")
    clip = try options.optionalNumber(
      "clip", in: .positive, "largest norm of the gradient; larger ones are scaled down")
    let name = try options.optionalChoice(
      "loss", of: Objective.Loss.allCases.map(\.rawValue),
      "the loss; by default cross-entropy for classes, else squares")
    loss = name.flatMap(Objective.Loss.init(rawValue:))
    labelSmoothing = try options.number(
      "label-smoothing", default: 0, in: .fractionBelowOne, "share of each target that is spread over all classes")
    evaluate = try options.quantity(
      "evaluate", in: ["epoch", "step"], default: Quantity(1, "epoch"), "how often the model is evaluated")
    try options.require(evaluate.count > 0, key: "evaluate", "training.evaluate is \(evaluate); expected at least 1")
    evaluationBatch = try options.integer(
      "evaluation-batch", default: 256, in: 1...1 << 20, unit: "samples", "samples of a chunk of evaluation")
    digest = try options.quantityOrNever(
      "digest", in: ["epoch", "step"], default: Quantity(1, "epoch"),
      "how often, and at the end, metrics carry the SHA-256 of the parameters, which `nndist verify` confirms, and ranks "
        + "make sure that they hold the same; takes about 0.6 ms for each megabyte of parameters")
    patience = try options.optionalInteger(
      "early-stop", in: 1...1 << 20, unit: "evaluations",
      "evaluations of the validation set without improvement after which training stops")
    bucket = try options.optionalInteger(
      "bucket", in: 1024...1 << 30, unit: "scalars",
      "scalars of a bucket of gradients; without it an eighth of the gradients, at least 16384 and at most 1048576")
    overlap = try options.flag(
      "overlap", default: true, "exchanges gradients while others are still computed; changes no bit of the result")
    recompute = try options.flag(
      "recompute", default: false,
      "makes what layers worked out again for the gradient instead of keeping it: less memory, more time, the same bits"
    )
    if case .number(let number) = shards {
      try options.require(
        number <= batch, key: "shards", "training.shards is \(number), more than the \(batch) samples of a batch")
    }
  }
}

/// The section `compute:`: with what and on how many threads a rank computes.
public struct ComputeOptions: Sendable {
  /// Threads of a rank, which run its shards.
  public let threads: Int
  /// Who multiplies matrices.
  public let backend: String
  /// What factors of products are rounded to.
  public let precision: String

  /// Reads the keys; where `threads` are not given it is as many as there are `cores` for each rank.
  init(_ options: inout Options, cores: Int? = nil) throws(ConfigurationError) {
    backend = try options.choice("backend", of: ["onednn", "openblas"], default: "onednn", "who multiplies matrices")
    precision = try options.choice(
      "precision", of: Compute.Precision.allCases.map(\.rawValue), default: Compute.Precision.float32.rawValue,
      "what convolutions and linear layers multiply; weights, sums and all else are Float32")
    try options.require(
      precision == Compute.Precision.float32.rawValue || backend == Compute.Backend.onednn.rawValue, key: "precision",
      "compute.precision is \(precision), which compute.backend: \(backend) does not multiply; use onednn")
    let help = "threads of a rank, which compute its shards or visit its clients"
    if let cores {
      let given = try options.optionalInteger("threads", in: 1...1024, unit: "threads", help)
      threads = given ?? cores
    } else {
      threads = try options.integer("threads", default: 1, in: 1...1024, unit: "threads", help)
    }
  }
}

/// The section `checkpoint:`: when the state of training is written, and how much of it is kept.
public struct CheckpointOptions: Sendable {
  /// How often; nil for at the end only.
  public let every: Quantity?
  /// The unit of intervals that rank 0's clock measures.
  static let clockUnit = "minute"
  /// Newest checkpoints that stay.
  public let keep: Int

  /// Reads the keys; `units` are those of the training's own progress.
  init(_ options: inout Options, units: [String] = ["epoch", "step"]) throws(ConfigurationError) {
    every = try options.quantityOrNever(
      "every", in: units + [CheckpointOptions.clockUnit], default: Quantity(5, CheckpointOptions.clockUnit),
      "how often a checkpoint is written in the background, beside the one at the end")
    keep = try options.integer(
      "keep", default: 3, in: 1...1 << 20, "newest checkpoints that are kept; the best one stays")
  }
}
