import Configuration
import Layers
import Learning
import Tensors

/// Rules made for models whose samples are described and not read.
enum RuleWithoutData {
  /// A rule for a model, both as configurations have them.
  static func prepare(
    _ learning: String, _ model: String, input: Signal, classes: Int = 10, target: Shape = []
  ) throws -> any ModelLearning {
    var options = Options(try Node.parse("{model: \(model), learning: \(learning)}", file: "rule.yaml"))
    let configuration = try ModelConfiguration(&options)
    let rule = try options.named("learning", of: LearningCatalog.all.map { $0.name }, "a rule") {
      (name, options) throws(ConfigurationError) -> any LearningRule in
      try LearningCatalog.all.first { $0.name == name }!.init(options: &options)
    }
    try options.finish()
    let built = try configuration.build(input: input, classes: classes).model
    return try rule.prepare(built, Objective(.crossEntropy, target: target))
  }

  /// Gradients and sums of a run over tokens or numbers that are counted up.
  static func run(_ plan: Plan, _ model: Model) -> (gradients: [Float], metrics: [Double]) {
    let store = ParameterStore(plan.layout)
    plan.layout.initialise(store, seed: 4)
    let samples = Storage(zeros: plan.batch * model.input.shape.count)
    let targets = Storage(zeros: plan.batch * max(1, model.output.shape.count))
    if let vocabulary = model.input.vocabulary {
      let tokens = UnsafeMutableRawPointer(samples.base).assumingMemoryBound(to: Int32.self)
      let next = UnsafeMutableRawPointer(targets.base).assumingMemoryBound(to: Int32.self)
      for index in 0..<samples.count { tokens[index] = Int32(index * index % vocabulary) }
      for index in 0..<samples.count { next[index] = Int32((index + 1) * (index + 1) % vocabulary) }
    } else {
      for index in 0..<samples.count { samples.base[index] = Float(index % 7) / 3 - 1 }
    }
    let keys = (0..<UInt64(plan.batch)).map { $0 }
    let gradients = Storage(zeros: plan.layout.gradientCount)
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    keys.withUnsafeBufferPointer { keys in
      executor.run(
        Executor.Inputs(
          store: store, version: 0, gradients: gradients, samples: UnsafeMutableRawPointer(samples.base),
          targets: UnsafeMutableRawPointer(targets.base), sampleKeys: keys.baseAddress!))
    }
    return (Array(gradients.scalars), (0..<plan.metricCount).map { executor.metric($0) })
  }
}
