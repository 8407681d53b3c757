import Configuration
import Datasets
import Layers
import Tensors

/// The section `encoder:` of prototype averaging: data and episodes that the server trains its encoder with.
struct EncoderOptions: Sendable {
  let data: DataOptions
  let shape: EpisodeShape
  let settings: EncoderSettings

  init(_ options: inout Options) throws(ConfigurationError) {
    data = try DataOptions(&options)
    let episodes = try options.integer(
      "episodes", default: 1000, in: 1...1 << 30, unit: "episodes", "episodes that the encoder is trained by")
    shape = EpisodeShape(
      ways: try options.integer("ways", default: 20, in: 2...1 << 16, unit: "classes", "classes of an episode"),
      shots: try options.integer(
        "shots", default: 5, in: 1...1 << 16, unit: "samples", "samples of a class that make its prototype"),
      queries: try options.integer(
        "queries", default: 5, in: 1...1 << 16, unit: "samples", "samples of a class that are told by it"))
    settings = EncoderSettings(
      episodes: episodes,
      batch: try options.integer(
        "batch", default: 2, in: 1...1024, unit: "episodes",
        "episodes whose gradients are averaged for one update; the bits depend on it, but not on threads"),
      learningRate: try options.number("learning-rate", default: 1e-3, in: .positive, "Adam's learning rate"),
      halving: try options.optionalInteger(
        "halve-every", in: 1...1 << 30, unit: "episodes", "episodes after which the learning rate is halved"),
      averaging: try options.number(
        "averaging", default: 0.98, in: .fractionBelowOne,
        "share of the old mean that each update keeps in the running mean of the weights, which is the encoder"))
  }

  /// Trains the weights of a store; returns what its test classes, which it has not seen, say of it.
  func train(
    _ model: Model, _ store: ParameterStore, seed: UInt64, _ compute: Compute, _ workers: Workers,
    _ note: (String) -> Void
  ) throws(FederatedError) -> FewShotReport {
    let dataset: Dataset
    do throws(DataError) { dataset = try data.load(seed: seed) } catch {
      throw FederatedError(.data, "federated.strategy.encoder: \(error)")
    }
    guard dataset.training.inputShape == model.input.shape else {
      throw FederatedError(
        .configuration,
        "federated.strategy.encoder.data has samples \(dataset.training.inputShape), but the "
          + "federation's are \(model.input.shape); take data of the same kind")
    }
    let (training, test) = (PartitionedSet(dataset.training), PartitionedSet(dataset.test))
    guard let classes = training.samplesByClass(), let others = test.samplesByClass() else {
      throw FederatedError(.configuration, "federated.strategy.encoder.data has no classes to draw episodes of")
    }
    let sampler: EpisodeSampler
    do throws(ConfigurationError) {
      sampler = try EpisodeSampler(classes, shape, seed: seed, for: .training)
    } catch { throw FederatedError(.configuration, "federated.strategy.encoder: \(error.message)") }
    let lines = 10
    var sums = (loss: 0.0, accuracy: 0.0, count: 0.0, told: 0)
    EncoderTraining(model, sampler, of: dataset.training, settings, compute, workers: workers).run(store) { progress in
      sums.loss += progress.loss
      sums.accuracy += progress.accuracy
      sums.count += 1
      let due = progress.episodes * lines / settings.episodes
      if due > sums.told {
        note(
          "encoder: \(progress.episodes) of \(settings.episodes) episodes, loss \(Self.text(sums.loss / sums.count)), "
            + "accuracy \(Self.text(sums.accuracy / sums.count))")
        sums = (0, 0, 0, due)
      }
      return true
    }
    let embeddings = Embedder(model, of: dataset.test, compute, workers: workers).embedAll(store)
    let report = FewShotReport(embeddings, others, seed: seed)
    for (name, value) in report.values { note("encoder: \(name) \(Self.text(value)) on classes it has not seen") }
    return report
  }

  /// Four places.
  private static func text(_ value: Double) -> String {
    let scaled = Int((value * 10_000).rounded())
    let fraction = String(scaled % 10_000)
    return "\(scaled / 10_000)." + String(repeating: "0", count: 4 - fraction.count) + fraction
  }
}
