import Configuration
import Datasets
import Layers
import Learning
import Tensors
import Testing
import Training

@Suite("NoProp")
struct NoPropTests {
  static let rules = [
    "{name: noprop, blocks: 3, units: 12}",
    "{name: noprop, blocks: 2, units: 12, embedding: learned, width: 12, noise: true}",
    "{name: noprop, blocks: 2, units: 12, embedding: prototype}",
    "{name: noprop, variant: ct, units: 12, inference-steps: 4}",
    "{name: noprop, variant: ct, units: 12, inference-steps: 4, embedding: learned, width: 12, noise: true}",
    "{name: noprop, variant: fm, units: 12, inference-steps: 4}",
  ]

  @Test("digests are equal for all rank counts", arguments: rules)
  func ranks(_ rule: String) throws {
    let alone = try LearningRun.train(rule)
    #expect(alone.loss?.isFinite == true)
    #expect(try LearningRun.train(rule).accuracy == alone.accuracy)
    for ranks in [2, 5] {
      #expect(try LearningRun.train(rule, ranks: ranks).parametersDigest == alone.parametersDigest)
    }
  }

  @Test("levels of noise rise between their ends, and steps weigh something", arguments: [1, 2, 10, 1000])
  func levels(_ steps: Int) {
    let levels = NoiseLevels(cosine: steps)
    #expect(levels.steps == steps && levels.shares.first == 0.001 && levels.shares.last == 0.999)
    #expect(zip(levels.shares, levels.shares.dropFirst()).allSatisfy { $0 <= $1 })
    // Where the ends are cut off, neighbours are equal.
    for step in 1...steps {
      #expect(levels.weight(step) > 0 || levels.shares[step] == levels.shares[step - 1])
    }
    let total = (1...steps).reduce(0) { $0 + levels.weight($1) }
    #expect(abs(total / (Double(steps) / 2 * (999 - 0.001 / 0.999)) - 1) < 1e-9)
  }

  @Test("the model's own layers are the first block's; the others have copies, and one layer reads the class")
  func parameters() throws {
    let learning = try LearningRun.prepare("{name: noprop, blocks: 3, units: 12}").learning
    let layout = learning.model.layout
    let own = ["0.weight", "0.bias", "1.weight", "1.bias", "5.weight", "5.bias"]
    let names = layout.parameters.map(\.name)
    #expect(Array(names.prefix(6)) == own)
    for step in 2...3 { for name in own { #expect(names.contains("blocks.\(step).\(name)")) } }
    #expect(!names.contains("8.weight") && !names.contains("blocks.1.0.weight"))
    #expect(Array(names.suffix(2)) == ["out.weight", "out.bias"] && Set(names).count == names.count)
    #expect(Set(layout.states.map(\.name)).count == layout.states.count)
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 1)
    func start(_ name: String) -> [Float] {
      layout.parameters.first { $0.name == name }.map { Array(store.parameters.scalars[$0.range]) } ?? []
    }
    #expect(
      start("0.weight") != start("blocks.2.0.weight") && start("0.weight").count == start("blocks.2.0.weight").count)
    #expect(start("out.weight").allSatisfy { $0 == 0 } && start("out.bias").allSatisfy { $0 == 0 })
    let learned = try LearningRun.prepare(Self.rules[1]).learning.model.layout
    #expect(learned.parameters.contains { $0.name == "embedding.weight" && $0.shape == [12, 10] })
  }

  @Test("prototypes are the samples whose median distance to their class is least")
  func prototypes() throws {
    let prepared = try LearningRun.prepare("{name: noprop, blocks: 2, units: 12, embedding: prototype}")
    let (layout, data) = (prepared.model.layout, prepared.dataset.training)
    let embedding = try #require(layout.parameters.first { $0.name == "embedding.weight" })
    let (width, classes) = (data.inputShape.count, 10)
    #expect(embedding.shape == [width, classes])
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 1)
    let start = Array(store.parameters.scalars[embedding.range])
    for digit in 0..<classes {
      let own = (0..<data.count).filter { data.label($0) == digit }.prefix(256).map { row($0, data) }
      func median(_ from: [Float]) -> Float { own.map { distance($0, from) }.sorted()[own.count / 2] }
      let column = (0..<width).map { start[$0 * classes + digit] }
      #expect(own.contains(column) && own.allSatisfy { median($0) >= median(column) })
    }
  }

  private func row(_ sample: Int, _ data: any DataSource) -> [Float] {
    var target: Int32 = 0
    return [Float](unsafeUninitializedCapacity: data.inputShape.count) { scalars, count in
      data.read(sample, epoch: 0, into: UnsafeMutableRawPointer(scalars.baseAddress!), targets: &target)
      count = data.inputShape.count
    }
  }

  private func distance(_ first: [Float], _ second: [Float]) -> Float {
    zip(first, second).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  }

  @Test("blocks of one-hot embeddings are independent to the bit")
  func independence() throws {
    let prepared = try LearningRun.prepare("{name: noprop, blocks: 3, units: 12}")
    let layout = prepared.model.layout
    let moved = layout.parameters.filter { $0.name.hasPrefix("blocks.2.") }
    let plain = ModuleChecks.gradients(prepared)
    let other = ModuleChecks.gradients(prepared) { store in
      for parameter in moved { for i in parameter.range { store.parameters.base[i] += 0.25 } }
    }
    for parameter in layout.parameters {
      let isEqual = plain.scalars[parameter.range].elementsEqual(other.scalars[parameter.range])
      #expect(isEqual != moved.contains(parameter), "\(parameter.name)")
    }
  }

  @Test("a block alone computes what it computes within the whole, and nothing flows between blocks")
  func modules() throws {
    let prepared = try LearningRun.prepare("{name: noprop, blocks: 3, units: 12}")
    let learning = try #require(prepared.learning as? any ModularLearning)
    #expect(learning.modules.count == 3)
    for module in 0..<3 { #expect(learning.shapes(enteringModule: module, batch: 4).isEmpty) }
    try ModuleChecks.expectModulesMakeTheWhole(prepared)
  }

  @Test("stages on ranks learn what one rank learns", arguments: [2, 3])
  func stages(_ stages: Int) throws {
    let alone = try LearningRun.train(Self.rules[0])
    let staged = try LearningRun.train(PipelineLaws.staged(Self.rules[0], stages), ranks: 2 * stages)
    #expect(staged.parametersDigest == alone.parametersDigest && staged.accuracy == alone.accuracy)
  }

  @Test("memory is that of one block, however many there are")
  func memory() throws {
    func bytes(_ blocks: Int) throws -> Int {
      let prepared = try LearningRun.prepare(
        "{name: noprop, units: 64, blocks: \(blocks)}", ["model={name: mlp, widths: [64, 48, 32]}"])
      return Programs.training(prepared.learning, prepared.compute, batch: 64).poolBytes
    }
    #expect(try bytes(8) == bytes(2))
  }

  @Test("gets digits right", arguments: ["dt, blocks: 4", "ct, inference-steps: 10", "fm, inference-steps: 10"])
  func learns(_ variant: String) throws {
    let accuracy = try #require(
      try LearningRun.train(
        "{name: noprop, units: 32, variant: \(variant)}",
        [
          "model={layers: [flatten, {linear: 48}, relu, {linear: 32}, batch-norm, {linear: 10}]}", "data.subset=1200",
          "training={epochs: 25, batch: 40, shards: 1}", "optimizer={name: adamw, learning-rate: 3e-3}",
        ]
      ).accuracy)
    #expect(accuracy > 0.75, "\(accuracy)")
  }

  @Test("refuses what it cannot train, naming layer and reason")
  func refusals() throws {
    func refusal(_ model: String, _ input: Signal, _ objective: Objective? = nil, rule: String = "") -> String? {
      Refusal.of(NoProp.self, rule, model, input, objective)
    }
    let row = Signal([20])
    #expect(refusal("[flatten, {linear: 10}]", row)?.contains("layer `1`") == true)
    let values = Objective(.meanSquaredError, target: [10])
    #expect(refusal("[{linear: 8}, relu, {linear: 10}]", row, values)?.contains("one class a sample") == true)
    #expect(
      refusal("[{embedding: 3}, flatten, {linear: 8}, {linear: 10}]", Signal(tokens: [6], vocabulary: 5))?
        .contains("tokens") == true)
    #expect(refusal("[{linear: 8}, {linear: 10}]", row, rule: "{blocks: 0}")?.contains("learning.blocks") == true)
    #expect(refusal("[{linear: 8}, {linear: 10}]", row, rule: "{variant: ct, blocks: 3}")?.contains("blocks") == true)
    #expect(refusal("[{linear: 8}, {linear: 10}]", row, rule: "{variant: fm, noise: true}")?.contains("noise") == true)
    #expect(refusal("[{linear: 8}, {linear: 10}]", row, rule: "{embedding: prototype}")?.contains("embedding") == true)
  }
}
