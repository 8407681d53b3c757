import Configuration
import Datasets
import Training

/// What `evaluate` and `predict` work with: a checkpoint's weights, and the configuration they were trained with.
struct TrainedModel {
  let path: String
  /// The file or directory that the weights lie in.
  let origin: Weights.Origin
  /// The configuration, overridden by flags and environment.
  let configuration: Node

  static let config = Flag("--config", "FILE", "the configuration of a weights file that stands alone")
  static let data = Flag("--data", "NAME", "another data set in place of the configuration's")

  /// Finds weights and configuration; damaged checkpoints that were passed over are said.
  init(_ path: String, _ arguments: Arguments) throws(RunError) {
    self.path = path
    do throws(CheckpointError) { origin = try Weights.find(path) } catch { throw RunError(error) }
    for warning in origin.warnings { Output.note("warning: \(warning)") }
    let node: Node
    do {
      if let file = arguments.value(TrainedModel.config) {
        node = try Node.load(file)
      } else if let checkpoint = origin.checkpoint {
        node = try Node.parse(
          checkpoint.manifest.configuration, file: "\(checkpoint.directory)/\(CheckpointManifest.fileName)")
      } else {
        throw RunError(
          .usage, "\(path) holds weights and no configuration; name it with --config FILE, or give a run or checkpoint")
      }
      configuration = try ConfigurationLoading.overridden(node, arguments)
    } catch {
      throw RunError(error)
    }
  }

  /// The configuration with another `data:`; a text keeps the context that the model was trained with.
  func configuration(data: String) throws(RunError) -> Node {
    do {
      var node = configuration
      let context = node["data"]?["context"]
      let isSame = node["data"]?.text == data || node["data"]?["name"]?.text == data
      if isSame { return node }
      node = try node.setting("data", to: data, source: "--data")
      let keys = Options.document(choosing: ["data": data]) { (options) throws(ConfigurationError) in
        _ = try DataOptions(&options)
      }
      if let context, keys.contains(where: { $0.key == "data.context" }) {
        node = try node.setting("data.context", to: context.yamlOnOneLine(), source: "--data")
      }
      return node
    } catch { throw RunError(error) }
  }

  /// Loads the data, builds the model and fills in the weights.
  func inference(_ configuration: Node, hasOtherData: Bool) throws(RunError) -> Inference {
    let prepared: PreparedExperiment
    do { prepared = try PreparedExperiment(try Experiment(configuration)) } catch { throw RunError(error) }
    do throws(RunError) {
      return try Inference(prepared, weights: origin.checkpoint?.directory ?? origin.file)
    } catch {
      // With data of another shape the model is another one; the checkpoint is not to blame.
      guard hasOtherData, error.code == .checkpoint else { throw error }
      throw RunError(
        .data, "\(prepared.dataset.name) does not fit the model of \(path): \(error.message)")
    }
  }
}
