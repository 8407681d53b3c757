import Communication
import Configuration
import Layers
import Learning
import Tensors
import Testing
import Training

@Suite("Rules with losses of each block")
struct LocalRuleTests {
  static let rules = [
    "dgl", "{name: dgl, head: linear}", "{name: dgl, head: convolutional}", "infopro",
    "{name: infopro, loss: contrast, temperature: 0.5}", "{name: auglocal, depth: 1}", "man",
    "{name: man, host: infopro}", "{name: man, head: full, blocks: 2}",
  ]

  @Test("modules make the same gradients whether or not the others are recorded, bit by bit", arguments: rules)
  func apart(_ rule: String) throws {
    let step = try LocalStep(rule)
    let together = step.run(step.plan()).gradients
    var apart = [Float](repeating: .nan, count: together.count)
    var incoming: UnsafeMutableRawPointer?
    defer { incoming?.deallocate() }
    for module in step.modular.modules.indices {
      let plan = step.plan(modules: module..<module + 1)
      let outgoing =
        plan.outgoing.bytes > 0
        ? UnsafeMutableRawPointer.allocate(byteCount: plan.outgoing.bytes, alignment: 64) : nil
      let gradients = step.run(plan, incoming: incoming, outgoing: outgoing).gradients
      for place in plan.reached.parameters {
        let parameter = plan.layout.parameters[place]
        #expect(step.modular.modules[module].owns(parameter.name))
        for scalar in parameter.range { apart[scalar] = gradients[scalar] }
      }
      for parameter in plan.layout.parameters where !step.modular.modules[module].owns(parameter.name) {
        // What was there before.
        #expect(parameter.range.allSatisfy { gradients[$0].isNaN }, "\(parameter.name) in module \(module)")
      }
      incoming?.deallocate()
      incoming = outgoing
    }
    for parameter in step.learning.model.layout.parameters {
      #expect(parameter.range.allSatisfy { apart[$0] == together[$0] }, "\(parameter.name)")
    }
  }

  @Test(
    "a block's gradient is that of its local loss by differences",
    arguments: [
      ("{name: dgl, head: linear}", [2: 1.0]), ("infopro", [2: 5.0 / 64, 3: 0.05]), ("man", [2: 1.0]),
      ("{name: man, host: infopro, ramp: blocks}", [2: 5.0 / 64, 3: 0.5]),
      ("{name: infopro, loss: contrast, temperature: 0.7}", [2: 5.0 / 64, 3: 0.05]), ("auglocal", [2: 1.0]),
    ] as [(String, [Int: Double])])
  func differences(_ rule: String, _ losses: [Int: Double]) throws {
    // Smooth functions, so that differences are not spoilt by kinks.
    let model =
      "model={layers: [{convolution: {channels: 4, kernel: 3}}, batch-norm, tanh, {max-pool: 2}, flatten, {linear: 9}, "
      + "tanh, {linear: 8}, tanh, {linear: 7}, tanh, {linear: 10}]}"
    let step = try LocalStep(rule, [model])
    let plan = step.plan(modules: 0..<1)
    let outgoing = UnsafeMutableRawPointer.allocate(byteCount: plan.outgoing.bytes, alignment: 64)
    defer { outgoing.deallocate() }
    let gradients = step.run(plan, outgoing: outgoing).gradients
    func loss() -> Double {
      let metrics = step.run(plan, outgoing: outgoing).metrics
      return losses.reduce(0) { $0 + $1.value * metrics[$1.key] } / 13
    }
    for parameter in step.parameters(of: 0) {
      // Along the gradient: the slope is its length, which no cancellation hides.
      let length = parameter.range.reduce(0) { $0 + Double(gradients[$1]) * Double(gradients[$1]) }.squareRoot()
      if length < 1e-5 { continue }
      let original = parameter.range.map { step.store.parameters.base[$0] }
      func moved(_ distance: Double) -> Double {
        for (old, scalar) in zip(original, parameter.range) {
          step.store.parameters.base[scalar] = old + Float(distance / length) * gradients[scalar]
        }
        return loss()
      }
      let slope = (moved(3e-3) - moved(-3e-3)) / 6e-3
      for (old, scalar) in zip(original, parameter.range) { step.store.parameters.base[scalar] = old }
      #expect(abs(slope - length) < 0.03 * length + 2e-4, "\(parameter.name): \(slope) by differences, \(length)")
    }
  }

  /// A run's store when it has ended.
  static func store(_ rule: String, _ changes: [String] = []) throws -> ParameterStore {
    let prepared = try LearningRun.prepare(rule, [LocalStep.model] + changes)
    let loop = try TrainingLoop(prepared, InProcessCommunicator.alone())
    _ = try loop.run()
    return loop.store
  }

  @Test("greedy blocks stay as they were when their phase was over, statistics too")
  func freezing() throws {
    let greedy = try Self.store("greedy")
    let first = try Self.store("dgl", ["training.steps=4"])
    let start = ParameterStore(greedy.layout)
    greedy.layout.initialise(start, seed: 11)
    #expect(greedy.layout.parameters == first.layout.parameters)
    for (index, parameter) in greedy.layout.parameters.enumerated() {
      let isFirst = ["0.", "1.", "auxiliary.0."].contains { parameter.name.hasPrefix($0) }
      let now = parameter.range.map { greedy.parameters.base[$0] }
      if isFirst { #expect(now == parameter.range.map { first.parameters.base[$0] }, "\(parameter.name) \(index)") }
      #expect(now != parameter.range.map { start.parameters.base[$0] }, "\(parameter.name) never learned")
    }
    for state in greedy.layout.states where state.name.hasPrefix("1.") || state.name.hasPrefix("auxiliary.0.") {
      #expect(
        state.range.map { greedy.states.base[$0] } == state.range.map { first.states.base[$0] }, "\(state.name)")
    }
  }

  @Test("the teacher of a block moves towards the next block's parameters before each step")
  func teachers() throws {
    let changes = ["training.steps=1"]
    let rule = "{name: man, momentum: 0.9}"
    let (one, two) = (try Self.store(rule, changes), try Self.store(rule, ["training.steps=2"]))
    let start = ParameterStore(one.layout)
    one.layout.initialise(start, seed: 11)
    var seen = 0
    for state in one.layout.states {
      guard case .following(let parameter, let momentum) = state.motion else { continue }
      seen += 1
      #expect(abs(momentum - 0.1) < 1e-6)
      var differs = false
      for (place, scalar) in zip(state.range, parameter) {
        let first = 0.9 * start.states.base[place] + 0.1 * start.parameters.base[scalar]
        #expect(abs(one.states.base[place] - first) < 1e-6)
        let second = 0.9 * one.states.base[place] + 0.1 * one.parameters.base[scalar]
        #expect(abs(two.states.base[place] - second) < 1e-6)
        if start.states.base[place] != start.parameters.base[scalar] { differs = true }
      }
      // Constants apart, which copies begin with as well.
      #expect(differs || state.initialiser == .constant(1) || state.initialiser == .constant(0))
    }
    #expect(seen == 4)
  }

  @Test("teachers follow parameters of the next module alone")
  func neighbours() throws {
    let step = try LocalStep("man")
    let layout = step.learning.model.layout
    for (index, module) in step.modular.modules.enumerated() {
      let followed = layout.states.compactMap { state -> Range<Int>? in
        guard module.owns(state.name), case .following(let range, _) = state.motion else { return nil }
        return range
      }
      #expect(followed.isEmpty == (index == step.modular.modules.count - 1))
      for range in followed {
        let parameter = try #require(layout.parameters.first { $0.range == range })
        #expect(step.modular.modules[index + 1].owns(parameter.name))
      }
    }
  }

  @Test("digests of three blocks are equal for all rank counts", arguments: rules + ["greedy"])
  func ranks(_ rule: String) throws {
    let digests = try [1, 2, 5].map { try LearningRun.train(rule, ranks: $0, [LocalStep.model]).parametersDigest }
    #expect(Set(digests).count == 1)
  }

  @Test(
    "modules on ranks of their own make the digest of one rank",
    arguments: [
      ("dgl", 3), ("infopro", 3), ("auglocal, depth: 1", 2), ("man", 3), ("man, host: infopro", 3),
    ])
  func stages(_ rule: String, _ stages: Int) throws {
    let alone = try LearningRun.train("{name: \(rule)}", [LocalStep.model])
    let apart = try LearningRun.train("{name: \(rule), stages: \(stages)}", ranks: stages, [LocalStep.model])
    #expect(apart.parametersDigest == alone.parametersDigest)
  }

  @Test("AugLocal with all blocks but one after the first is backpropagation")
  func oneModule() throws {
    let deepest = try LearningRun.train("{name: auglocal, depth: 2}", [LocalStep.model]).parametersDigest
    #expect(try LearningRun.train("backpropagation", [LocalStep.model]).parametersDigest == deepest)
    #expect(try LearningRun.train("{name: auglocal, depth: 1}", [LocalStep.model]).parametersDigest != deepest)
  }

  @Test("all rules train images of odd extents and of one pixel, vectors and sequences", arguments: rules + ["greedy"])
  func shapes(_ rule: String) throws {
    for model in [
      """
      [{max-pool: 3}, {convolution: {channels: 3, padding: 1}}, relu, {max-pool: 2}, \
      {convolution: {channels: 5, padding: 1}}, relu, {convolution: {channels: 4, kernel: 1}}, batch-norm, relu, \
      flatten, {linear: 10}]
      """,
      """
      [{convolution: {channels: 3, kernel: 3, stride: 2}}, relu, \
      {residual: [{convolution: {channels: 3, padding: 1}}]}, \
      {residual: [{convolution: {channels: 3, padding: 1}}, relu]}, global-average-pool, {linear: 10}]
      """,
      "[flatten, {linear: 7}, relu, {linear: 5}, batch-norm, tanh, {linear: 6}, gelu, {linear: 10}]",
    ] {
      let summary = try LearningRun.train(rule, ["model={layers: \(model)}", "training.steps=4"])
      #expect(summary.loss?.isFinite == true, "\(model)")
    }
  }

  @Test("all rules train sequences of tokens", arguments: rules.filter { !$0.contains("contrast") } + ["greedy"])
  func sequences(_ rule: String) throws {
    let learning = try RuleWithoutData.prepare(
      rule, "{name: gpt, width: 8, heads: 2, depth: 3}", input: Signal(tokens: [12], vocabulary: 9), classes: 9,
      target: [12])
    for phase in 0..<learning.phases {
      let plan = Programs.training(learning, Compute(), batch: 3, phase: phase)
      let run = RuleWithoutData.run(plan, learning.model)
      #expect(run.gradients.allSatisfy { $0.isFinite })
      for place in plan.reached.parameters {
        #expect(run.gradients[plan.layout.parameters[place].range].contains { $0 != 0 })
      }
    }
  }
}
