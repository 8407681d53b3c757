import Configuration
import Datasets
import Foundation
import Reporting
import Tensors
import Training

/// `nndist evaluate CHECKPOINT`: loss and accuracy on the test set.
enum Evaluate: Verb {
  static let name = "evaluate"
  static let usage = "evaluate CHECKPOINT"
  static let summary = "measures a trained model on a test set"
  static let details = """
    CHECKPOINT is a run, whose newest checkpoint counts (its best one is RUN/checkpoints/best), a checkpoint, or a \
    safetensors file together with --config. The configuration comes with the checkpoint. The result has the bits of the \
    evaluation in training, on any number of threads.

    Examples:
      nndist evaluate runs/fashion
      nndist evaluate runs/fashion/checkpoints/best --data mnist --json
    """
  static let flags: [Flag] = [TrainedModel.data, TrainedModel.config, .set, .json]

  static func run(_ arguments: Arguments) throws(RunError) -> ExitCode {
    let model = try TrainedModel(arguments.positional[0], arguments)
    let data = arguments.value(TrainedModel.data)
    let configuration = if let data { try model.configuration(data: data) } else { model.configuration }
    let result = try Evaluate.measure(model, configuration, hasOtherData: data != nil)
    let weights = model.origin.checkpoint?.directory ?? model.origin.file
    if arguments.has(.json) {
      var object: JSONObject = [
        "verb": .text(name), "loss": .number(result.loss), "accuracy": result.accuracy.map { .number($0) } ?? .null,
        "samples": .integer(result.dataset.test.count), "seconds": .number(result.seconds),
        "data": .text(result.dataset.name), "parameters": .integer(result.parameters),
        "parameters_digest": .text(result.digest),
      ]
      object["round"] = result.round.map { .integer($0) }
      object["checkpoint"] = .text(weights)
      Output.line(object.text)
      return .done
    }
    var lines: [(String, String)] = []
    if let accuracy = result.accuracy { lines.append(("accuracy", Terminal.bold(String(format: "%.4f", accuracy)))) }
    lines.append(("loss", String(format: "%.4f", result.loss)))
    lines.append(
      (
        "test set",
        "\(Numerals.grouped(result.dataset.test.count)) samples of \(result.dataset.origin)"
          + String(format: ", %.1f s", result.seconds)
      ))
    lines.append(("weights", weights))
    if let round = result.round { lines.append(("round", Numerals.grouped(round))) }
    lines.append(("digest", result.digest))
    for (term, text) in lines { Output.result(term, text) }
    return .done
  }

  private struct Measurement {
    var loss: Double
    var accuracy: Double?
    var dataset: Dataset
    var parameters: Int
    var digest: String
    var seconds: Double
    /// Rounds of the federation that trained it.
    var round: Int?
  }

  /// A federation is evaluated by what its clients are sent, which may be more than the model.
  private static func measure(
    _ model: TrainedModel, _ configuration: Node, hasOtherData: Bool
  ) throws(RunError) -> Measurement {
    let start: Double
    if model.isFederation {
      let loop = try model.federation(configuration, hasOtherData: hasOtherData)
      start = Clock.seconds
      let result = try loop.evaluate()
      return Measurement(
        loss: result.loss, accuracy: result.accuracy, dataset: loop.prepared.dataset,
        parameters: loop.start.parameters, digest: loop.digest(), seconds: Clock.seconds - start,
        round: loop.progress.round > 0 ? loop.progress.round : nil)
    }
    let inference = try model.inference(configuration, hasOtherData: hasOtherData)
    let dataset = inference.prepared.dataset
    start = Clock.seconds
    let result = try inference.evaluate(dataset.test)
    return Measurement(
      loss: result.loss, accuracy: result.accuracy, dataset: dataset,
      parameters: inference.store.layout.parameterCount, digest: Digest.parameters(inference.store),
      seconds: Clock.seconds - start)
  }
}
