/// How far a training has come: with the parameters and states, all that its future depends on.
public struct TrainingProgress: Codable, Sendable, Hashable {
  /// Optimizer steps made.
  public var step: Int
  /// Epochs finished.
  public var epoch: Int
  /// Training samples of the present epoch that are used up: the sampler's position.
  public var epochSamples: Int
  /// Training samples used since the start.
  public var samples: Int
  /// Seconds spent training, over all starts.
  public var seconds: Double
  /// The best validation metric so far, nil before the first.
  public var bestMetric: Double?
  /// The step it was reached at.
  public var bestStep: Int?
  /// Evaluations since then, which early stopping counts.
  public var evaluationsWithoutGain: Int
  /// Whatever else the loop counts, by name: bytes sent, sums of an epoch not yet reported.  Exact when finite; what is not
  /// finite must not be put here.
  public var counters: [String: Double]

  /// The start of a training.
  public init() {
    step = 0
    epoch = 0
    epochSamples = 0
    samples = 0
    seconds = 0
    evaluationsWithoutGain = 0
    counters = [:]
  }

  /// Its keys in the manifest.
  enum CodingKeys: String, CodingKey {
    case step, epoch, samples, seconds, counters
    case epochSamples = "epoch_samples"
    case bestMetric = "best_metric"
    case bestStep = "best_step"
    case evaluationsWithoutGain = "evaluations_without_gain"
  }

  var object: JSONObject {
    var object: JSONObject = [
      "step": .integer(step), "epoch": .integer(epoch), "epoch_samples": .integer(epochSamples),
      "samples": .integer(samples), "seconds": .number(seconds), "best_metric": bestMetric.map { .number($0) } ?? nil,
      "best_step": bestStep.map { .integer($0) } ?? nil,
      "evaluations_without_gain": .integer(evaluationsWithoutGain),
    ]
    var numbers = JSONObject()
    for (name, value) in counters.sorted(by: { $0.key < $1.key }) { numbers[name] = .number(value) }
    object["counters"] = .object(numbers)
    return object
  }

  /// Whether the numbers can be those of a training.
  var isSound: Bool {
    step >= 0 && epoch >= 0 && epochSamples >= 0 && samples >= epochSamples && evaluationsWithoutGain >= 0
      && (bestStep ?? 0) >= 0 && seconds >= 0
  }
}
