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
    let inference = try model.inference(configuration, hasOtherData: data != nil)
    let dataset = inference.prepared.dataset
    let start = Clock.seconds
    let result = try inference.evaluate(dataset.test)
    let seconds = Clock.seconds - start
    let digest = Digest.parameters(inference.store)
    if arguments.has(.json) {
      let object: JSONObject = [
        "verb": .text(name), "loss": .number(result.loss), "accuracy": result.accuracy.map { .number($0) } ?? .null,
        "samples": .integer(result.samples), "seconds": .number(seconds), "data": .text(dataset.name),
        "parameters": .integer(inference.store.layout.parameterCount), "parameters_digest": .text(digest),
        "checkpoint": .text(model.origin.checkpoint?.directory ?? model.origin.file),
      ]
      Output.line(object.text)
      return .done
    }
    var lines: [(String, String)] = []
    if let accuracy = result.accuracy { lines.append(("accuracy", Terminal.bold(String(format: "%.4f", accuracy)))) }
    lines.append(("loss", String(format: "%.4f", result.loss)))
    lines.append(
      (
        "test set",
        "\(Numerals.grouped(result.samples)) samples of \(dataset.origin)" + String(format: ", %.1f s", seconds)
      ))
    lines.append(("weights", model.origin.checkpoint?.directory ?? model.origin.file))
    lines.append(("digest", digest))
    for (term, text) in lines { Output.result(term, text) }
    return .done
  }
}
