import Communication
import Configuration
import Datasets
import Federated
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

  /// Whether it was trained by a federation.
  var isFederation: Bool { FederatedExperiment.isOne(configuration) }

  /// Whether the model's outputs are embeddings.
  var makesEmbeddings: Bool {
    isFederation && (try? FederatedExperiment(configuration))?.federated.strategy.makesEmbeddings == true
  }

  /// Loads the data, builds the model and fills in the weights.
  func inference(_ configuration: Node, hasOtherData: Bool) throws(RunError) -> Inference {
    let prepared: TrainableModel
    do {
      prepared =
        isFederation
        ? try PreparedFederation(try FederatedExperiment(unpartitioned(configuration, hasOtherData))).trainable
        : try PreparedExperiment(try Experiment(configuration)).trainable
    } catch { throw RunError(error) }
    return try blaming(hasOtherData, prepared.dataset) { () throws(RunError) in
      try Inference(prepared, weights: origin.checkpoint?.directory ?? origin.file)
    }
  }

  /// Loads the data, builds the federation and restores it as the checkpoint has it; a weights file that stands alone has no
  /// more than the model.
  func federation(_ configuration: Node, hasOtherData: Bool) throws(RunError) -> FederatedLoop {
    let prepared: PreparedFederation
    do {
      // Not the weights that training had started from, which may be gone.
      let node = try unpartitioned(configuration, hasOtherData).setting(
        "model.weights", to: Node.text(origin.file).yamlOnOneLine(), source: path)
      prepared = try PreparedFederation(try FederatedExperiment(node))
    } catch { throw RunError(error) }
    return try blaming(hasOtherData, prepared.dataset) { () throws(RunError) in
      let loop = try FederatedLoop(prepared, InProcessCommunicator.alone())
      if let checkpoint = origin.checkpoint { try loop.resume(from: checkpoint, withClients: false) }
      return loop
    }
  }

  /// A federation on other data than its own: nobody trains on them, so clients draw one sample each, of whatever there is.
  private func unpartitioned(_ configuration: Node, _ hasOtherData: Bool) throws(ConfigurationError) -> Node {
    guard hasOtherData else { return configuration }
    var node = try configuration.setting(
      "federated.partition", to: "{name: resample, samples: 1}", source: TrainedModel.data.name)
    if node["federated"]?["clients"] == nil {
      let cohort = node["federated"]?["cohort"]?.yamlOnOneLine() ?? "1"
      node = try node.setting("federated.clients", to: cohort, source: TrainedModel.data.name)
    }
    return node
  }

  /// With data of another shape the model is another one; the checkpoint is not to blame.
  private func blaming<Result>(
    _ hasOtherData: Bool, _ dataset: Dataset, _ body: () throws(RunError) -> Result
  ) throws(RunError) -> Result {
    do throws(RunError) { return try body() } catch {
      guard hasOtherData, error.code == .checkpoint else { throw error }
      throw RunError(.data, "\(dataset.name) does not fit the model of \(path): \(error.message)")
    }
  }
}
