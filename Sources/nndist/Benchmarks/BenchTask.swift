import Configuration
import Datasets
import Tensors
import Training

/// What `bench step` times: an experiment whose samples are random numbers of the right shapes.
struct BenchTask {
  /// The experiment with its data.
  let prepared: PreparedExperiment

  /// Rows of `--model`: the data set whose shapes it gets, the samples of a step, its optimizer.  Others are as the last.
  private static let standard: [(model: String, data: String, batch: Int, optimizer: String)] = [
    ("mlp", "mnist", 128, "{name: sgd, momentum: 0.9}"),
    ("cnn", "mnist", 64, "{name: sgd, momentum: 0.9}"),
    ("gpt", "tinyshakespeare", 16, "{name: adamw}"),
    ("resnet20", "cifar10", 64, "{name: sgd, momentum: 0.9}"),
  ]

  /// Reads flags and configuration for a number of ranks.
  init(_ arguments: Arguments, ranks: Int) throws(RunError) {
    let batch = try arguments.integer(Bench.batch, in: 1...1 << 20)
    let backend = try Bench.backend(arguments)
    do {
      var node: Node
      if let file = arguments.value(Bench.config) {
        guard !arguments.has(Bench.model) else { throw RunError(.usage, "--model and --config: give one of them") }
        node = try Node.load(file)
      } else {
        let model = arguments.value(Bench.model) ?? "mlp"
        let task = BenchTask.standard.first { $0.model == model } ?? BenchTask.standard[BenchTask.standard.count - 1]
        node = try Node.parse("data: \(task.data)\noptimizer: \(task.optimizer)\n", file: "--model")
        node = try node.setting("model", to: model, source: "--model")
        node = try node.setting("training.batch", to: "\(task.batch * ranks)", source: "--model")
      }
      if let batch { node = try node.setting("training.batch", to: "\(batch * ranks)", source: "--batch") }
      if let backend { node = try node.setting("compute.backend", to: backend.rawValue, source: "--backend") }
      // So low that random targets never make the loss run away, however long it is timed.
      node = try node.setting("optimizer.learning-rate", to: "1e-6", source: "bench")
      let experiment = try Experiment(try ConfigurationLoading.overridden(node, arguments))
      prepared = try PreparedExperiment(experiment, dataset: try BenchTask.dataset(experiment))
    } catch { throw RunError(error) }
  }

  /// Random samples like those of the data set that the configuration names.  Published sets need not be there.
  private static func dataset(_ experiment: Experiment) throws -> Dataset {
    let name = experiment.data.name
    // More than a measurement can use up.
    let count = experiment.training.batch * experiment.training.accumulate * 1_000_000
    if let source = published(name, experiment.resolved["data"], count: count) { return source.dataset(name: name) }
    let loaded = try experiment.data.load(seed: experiment.seed)
    return RandomSource(like: loaded.training, count: count).dataset(name: loaded.name)
  }

  /// The shapes of published sets; nil for others, and where a path says that it may be something else.
  private static func published(_ name: String, _ options: Node?, count: Int) -> RandomSource? {
    if let path = options?["path"]?.text, path != "null" { return nil }
    switch name {
    case "mnist", "fashion-mnist": return RandomSource([28, 28, 1], .float32, targets: [], .classes(10), count: count)
    case "cifar10": return RandomSource([32, 32, 3], .float32, targets: [], .classes(10), count: count)
    case "cifar100": return RandomSource([32, 32, 3], .float32, targets: [], .classes(100), count: count)
    case "tinyshakespeare":
      guard let context = options?["context"]?.text.flatMap({ Int($0) }) else { return nil }
      return RandomSource([context], .tokens(vocabulary: 65), targets: [context], .classes(65), count: count)
    default: return nil
    }
  }
}
