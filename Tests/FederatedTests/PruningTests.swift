import Configuration
import Federated
import Foundation
import Layers
import Tensors
import Testing

@Suite("Pruning")
struct PruningTests {
  static let chains: [(String, Signal)] = [
    (
      "[flatten, {linear: {outputs: 12, bias: false}}, relu, {linear: {outputs: 7, bias: false}}, relu, {linear: {outputs: 3, bias: false}}]",
      Signal([8])
    ),
    (
      "[{convolution: {channels: 6, padding: 1, bias: false}}, relu, {max-pool: 2}, {convolution: {channels: 8, groups: 2, stride: 2, padding: 1, bias: false}}, relu, {average-pool: 2}, flatten, {linear: {outputs: 4, bias: false}}]",
      Signal([12, 8, 3])
    ),
    (
      "[{convolution: {channels: 5, dilation: 2, bias: false}}, elu, {dropout: 0.3}, {convolution: {channels: 4, kernel: 2, bias: false}}, relu, global-average-pool, {linear: {outputs: 4, bias: false}}]",
      Signal([9, 7, 2])
    ),
  ]

  /// A model of listed layers with weights of deviation √(2 / inputs).
  private func network(_ layers: String, _ input: Signal, seed: UInt64 = 1) throws -> (Model, ParameterStore) {
    var options = Options(try Node.parse("model: {layers: \(layers)}", file: "model.yaml"))
    let model = try ModelConfiguration(&options).build(input: input, classes: 4).model
    let store = ParameterStore(model.layout)
    model.layout.initialise(store, seed: seed)
    for (index, parameter) in model.layout.parameters.enumerated() where parameter.shape.rank > 1 {
      var random = RandomStream(seed: seed, .test, layer: UInt64(index))
      let deviation = (2 / Float(parameter.shape.count / parameter.shape[0])).squareRoot()
      for i in parameter.range { store.parameters.base[i] = deviation * random.normal() }
    }
    return (model, store)
  }

  private func scores(_ flow: SynapticFlow, _ store: ParameterStore, _ mask: PruningMask) -> (
    scores: [Double], flow: Double
  ) {
    var scores = [Double](repeating: .nan, count: mask.count)
    let flow = scores.withUnsafeMutableBufferPointer { flow.score(store, mask, into: $0.baseAddress!) }
    return (scores, flow)
  }

  @Test("Flow is conserved: every layer's scores sum to the sum of outputs", arguments: chains.indices)
  func conservation(_ chain: Int) throws {
    let (model, store) = try network(Self.chains[chain].0, Self.chains[chain].1)
    var mask = PruningMask(model.layout)
    let flow = try SynapticFlow(model)
    for _ in 0..<2 {
      let (scores, sum) = scores(flow, store, mask)
      #expect(sum > 0)
      for parameter in model.layout.parameters {
        #expect(abs(scores[parameter.range].reduce(0, +) / sum - 1) < 1e-12, "\(parameter.name)")
      }
      for i in stride(from: 0, to: mask.count, by: 5) { mask[i] = false }
    }
  }

  @Test("Flow into a hidden unit is flow out of it")
  func units() throws {
    let (model, store) = try network(Self.chains[0].0, Self.chains[0].1)
    let (scores, _) = scores(try SynapticFlow(model), store, PruningMask(model.layout))
    let (first, second) = (model.layout.parameters[0], model.layout.parameters[1])
    for unit in 0..<12 {
      let into = (0..<8).reduce(0.0) { $0 + scores[first.range.lowerBound + unit * 8 + $1] }
      let out = (0..<7).reduce(0.0) { $0 + scores[second.range.lowerBound + $1 * 12 + unit] }
      #expect(abs(into / out - 1) < 1e-12)
    }
  }

  @Test(
    "A score is what the sum of outputs loses without the weight, biases and normalisation included",
    arguments: [
      "[flatten, {linear: 6}, batch-norm, relu, {linear: 4}]",
      "[{convolution: {channels: 4, padding: 1}}, batch-norm, relu, {average-pool: {kernel: 2, padding: 1, count-padding: false}}, flatten, {linear: 4}]",
    ])
  func difference(_ layers: String) throws {
    let (model, store) = try network(layers, Signal([5, 4, 2]))
    let flow = try SynapticFlow(model)
    var mask = PruningMask(model.layout)
    let (all, sum) = scores(flow, store, mask)
    for range in mask.prunable {
      for i in range {
        mask[i] = false
        // R is linear in each weight.
        #expect(abs(sum - scores(flow, store, mask).flow - all[i]) < 1e-9 * sum)
        mask[i] = true
      }
    }
  }

  @Test("Scores stay exact where Float32 would overflow or vanish", arguments: [Float(1e-12), 1e12])
  func range(_ factor: Float) throws {
    let layers = "[flatten" + String(repeating: ", {linear: {outputs: 6, bias: false}}, relu", count: 8) + "]"
    let (model, store) = try network(layers, Signal([6]))
    let flow = try SynapticFlow(model)
    let mask = try flow.prune(store, density: 0.3, steps: 10)
    VectorMath.scale(store.parameters.base, by: factor, count: store.parameters.count)
    #expect(try flow.prune(store, density: 0.3, steps: 10).keptCount == mask.keptCount)
    let (scores, sum) = scores(flow, store, PruningMask(model.layout))
    #expect(sum.isFinite && sum > 0 && scores.allSatisfy { $0.isFinite && $0 > 0 })
  }

  @Test("784-300-100-10: layer densities of a hundred steps and of one, and the collapse of one step")
  func perceptron() throws {
    // Densities of the same recipe in PyTorch (float64), within what seeds change.
    let layers =
      "[flatten, {linear: {outputs: 300, bias: false}}, relu, {linear: {outputs: 100, bias: false}}, relu, {linear: {outputs: 10, bias: false}}]"
    let (model, store) = try network(layers, Signal([28, 28, 1]))
    let flow = try SynapticFlow(model)
    for (steps, expected) in [(100, [0.071, 0.297, 0.982]), (1, [0.015, 0.737, 0.996])] {
      let mask = try flow.prune(store, density: 0.1, steps: steps)
      #expect(mask.keptCount == 26_620)  // 266,200 · 0.1
      #expect(mask == (try flow.prune(store, density: 0.1, steps: steps)))
      for (range, density) in zip(mask.prunable, expected) {
        #expect(abs(Double(mask.keptCount(in: range)) / Double(range.count) - density) < 0.05 * density + 0.002)
      }
    }
    for density in [0.05, 0.01] {
      let error = #expect(throws: ConfigurationError.self) { try flow.prune(store, density: density, steps: 1) }
      let message = error?.message ?? ""
      #expect(message.contains("leaves no weight of `1.weight` (layer collapse)"), "\(message)")
    }
  }

  @Test("Networks that are no chain are refused by the layer's name")
  func residual() throws {
    var options = Options(try Node.parse("model: resnet20", file: "model.yaml"))
    let model = try ModelConfiguration(&options).build(input: Signal([32, 32, 3]), classes: 10).model
    let error = #expect(throws: ConfigurationError.self) { _ = try SynapticFlow(model) }
    #expect(error?.message.contains("synflow follows chains") == true, "\(error?.message ?? "")")
  }

  @Test(
    "The exact number is kept, the greatest scores, of equal ones the earlier", arguments: [1, 0.5, 0.37, 0.25], [1, 7])
  func selection(_ density: Double, _ steps: Int) throws {
    let (model, store) = try network("[flatten, {linear: 64}, relu, {linear: 4}]", Signal([10]))
    let mask = try Pruning.prune(model.layout, density: density, steps: steps) { mask, scores in
      PruningScores.magnitude(store.parameters.base, count: mask.count, into: scores)
    }
    let total = mask.prunableCount
    #expect(total == 640 + 256 && mask.keptCount == total - Int((1 - density) * Double(total)))
    #expect(mask.keptIndices().count == mask.keptCount && mask.byteCount == 112)
    let places = mask.prunable.flatMap { Array($0) }
    let order = places.sorted { abs(store.parameters.base[$0]) > abs(store.parameters.base[$1]) }
    #expect(Set(order.prefix(mask.keptCount)) == Set(places.filter { mask[$0] }))
    // Biases are never pruned.
    #expect((0..<mask.count).filter { !mask[$0] }.allSatisfy { i in places.contains(i) })
    mask.apply(to: store.parameters.base)
    #expect((0..<mask.count).allSatisfy { mask[$0] || store.parameters.base[$0] == 0 })

    let equal = try Pruning.prune(model.layout, density: 0.8, steps: steps) { mask, scores in
      for i in 0..<mask.count { scores[i] = -3 }
    }
    #expect(places.filter { equal[$0] } == Array(places.prefix(equal.keptCount)))
    #expect(equal.digest != mask.digest)
  }

  @Test("Random masks are functions of the seed")
  func random() throws {
    let (model, _) = try network("[flatten, {linear: 64}, relu, {linear: 4}]", Signal([10]))
    func mask(_ seed: UInt64) throws -> PruningMask {
      try Pruning.prune(model.layout, density: 0.2, steps: 1) { mask, scores in
        PruningScores.random(seed: seed, count: mask.count, into: scores)
      }
    }
    #expect(try mask(1).digest == mask(1).digest)
    #expect(try mask(1).digest != mask(2).digest)
  }

  @Test("Density zero, and scores that are no numbers, are errors")
  func badInput() throws {
    let (model, _) = try network("[flatten, {linear: 4}]", Signal([10]))
    #expect(throws: ConfigurationError.self) { try Pruning.prune(model.layout, density: 0, steps: 1) { _, _ in } }
    let error = #expect(throws: ConfigurationError.self) {
      try Pruning.prune(model.layout, density: 0.5, steps: 1) { _, scores in scores[3] = .nan }
    }
    #expect(error?.message.contains("scalar 3") == true)
  }

  @Test("Connection sensitivity sums to 1; gradient flow of a quadratic is θ · Hg")
  func gradients() {
    let (parameters, curvatures): ([Float], [Float]) = ([1, -2, 3, 0.5], [2, 1, 0.25, 4])
    var scores = [Double](repeating: 0, count: 4)
    scores.withUnsafeMutableBufferPointer {
      PruningScores.connectionSensitivity(parameters, gradient: [0.5, 1, -1, 0], count: 4, into: $0.baseAddress!)
    }
    #expect(zip(scores, [0.5 / 5.5, 2 / 5.5, 3 / 5.5, 0]).allSatisfy { abs($0 - $1) < 1e-12 })
    // L = ½ Σ h θ²: g = hθ, Hg = h²θ, and θ · Hg = (hθ)².
    scores.withUnsafeMutableBufferPointer {
      PruningScores.gradientFlow(parameters, count: 4, into: $0.baseAddress!) { point, gradient in
        for i in 0..<4 { gradient[i] = curvatures[i] * point[i] }
      }
    }
    let products = zip(parameters, curvatures).map { Double($0 * $1) * Double($0 * $1) }
    let sum = products.reduce(0, +)
    #expect(zip(scores, products).allSatisfy { abs($0 - $1 / sum) < 1e-4 })
  }
}
