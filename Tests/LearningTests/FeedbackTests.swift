import Configuration
import Foundation
import Layers
import Learning
import Tensors
import Testing

/// Rules with random feedback against plain loops, and what relates them to backpropagation.
@Suite("Rules with random feedback")
struct FeedbackTests {
  static let net = "[{linear: 5}, tanh, {linear: 6}, tanh, {linear: 3}]"
  static let places = [0, 2, 4]
  static let losses = Objective.Loss.allCases

  static func batch(_ loss: Objective.Loss) -> RuleRun.Batch {
    RuleRun.Batch(loss: loss, target: loss == .crossEntropy ? [] : [3])
  }

  /// Gradients of a rule on two hidden layers against those of plain loops with a signal made of the random matrices.
  static func check(
    _ rule: String, _ loss: Objective.Loss, states: [String], sourceLocation: SourceLocation = #_sourceLocation,
    _ signal: ([[[Double]]]) -> PlainNetwork.Signal
  ) throws {
    let batch = batch(loss)
    let run = try RuleRun(rule, net, batch)
    let plain = PlainNetwork(run, places, loss)
    let matrices = states.map { name in
      let state = run.layout.states.first { $0.name == name }!
      return PlainNetwork.rows(run.scalars(name).map(Double.init), state.shape[0])
    }
    let wanted = plain.gradients(batch, signal(matrices))
    for (index, place) in places.enumerated() {
      #expect(
        distance(run.gradient("\(place).weight"), wanted.weights[index]) < 2e-6, "weight \(place)",
        sourceLocation: sourceLocation)
      #expect(
        distance(run.gradient("\(place).bias"), wanted.biases[index]) < 2e-6, "bias \(place)",
        sourceLocation: sourceLocation)
    }
  }

  static let direct = ["auxiliary.0.matrix", "auxiliary.1.matrix"]

  /// The samples of a batch, by which a signal that is no error is divided.
  static let count = Double(RuleRun.Batch().count)

  @Test("feedback alignment sends δ back through random matrices of the weights' shapes", arguments: losses)
  func feedbackAlignment(_ loss: Objective.Loss) throws {
    let states = ["auxiliary.feedback.2.weight", "auxiliary.feedback.4.weight"]
    try Self.check("feedback-alignment", loss, states: states) { b in
      { layer, _, above, _, _ in PlainNetwork.product(above, b[layer]) }
    }
  }

  @Test("direct feedback alignment brings the error to every layer", arguments: losses)
  func directFeedbackAlignment(_ loss: Objective.Loss) throws {
    try Self.check("{name: direct-feedback-alignment, hidden-scale: 0.5}", loss, states: Self.direct) { b in
      { layer, error, _, _, _ in PlainNetwork.product(error.map { 0.5 * $0 }, b[layer]) }
    }
  }

  @Test("with signs only, divided by the samples", arguments: losses)
  func signs(_ loss: Objective.Loss) throws {
    try Self.check("{name: direct-feedback-alignment, signal: sign}", loss, states: Self.direct) { b in
      { layer, error, _, _, _ in PlainNetwork.product(error.map { ($0 > 0 ? 1 : -1) / Self.count }, b[layer]) }
    }
  }

  @Test("DRTP takes the targets for the error", arguments: losses)
  func targetProjection(_ loss: Objective.Loss) throws {
    try Self.check("{name: drtp, hidden-scale: 2}", loss, states: Self.direct) { b in
      { layer, _, _, _, target in PlainNetwork.product(target.map { 2 * $0 / Self.count }, b[layer]) }
    }
  }

  @Test("tpSGD moves towards projected targets by squares", arguments: losses)
  func squares(_ loss: Objective.Loss) throws {
    try Self.check("tpsgd", loss, states: Self.direct) { b in
      { layer, _, _, h, target in zip(h, PlainNetwork.product(target, b[layer])).map { ($0 - $1) / Self.count } }
    }
  }

  @Test("tpSGD moves towards projected targets by distances", arguments: losses)
  func distances(_ loss: Objective.Loss) throws {
    try Self.check("{name: tpsgd, loss: l1, target-bound: 1, hidden-scale: 0.1}", loss, states: Self.direct) { b in
      { layer, _, _, h, target in
        zip(h, PlainNetwork.product(target, b[layer])).map { ($0 > $1 ? 0.1 : -0.1) / Self.count }
      }
    }
  }

  // MARK: Convolutions

  static let images = RuleRun.Batch(input: Signal([5, 6, 2]))
  static let convolution =
    "[{convolution: {channels: 3, kernel: 3, stride: 2, padding: 1}}, tanh, flatten, {linear: 3}]"

  @Test("a map of targets enters a convolution after its activation", arguments: ["drtp", "tpsgd", "error"])
  func convolutions(_ rule: String) throws {
    let batch = Self.images
    let run = try RuleRun(rule == "error" ? "direct-feedback-alignment" : rule, Self.convolution, batch)
    let (weight, bias) = (run.scalars("0.weight").map(Double.init), run.scalars("0.bias").map(Double.init))
    let (head, headBias) = (run.scalars("3.weight").map(Double.init), run.scalars("3.bias").map(Double.init))
    let matrix = PlainNetwork.rows(run.scalars("auxiliary.0.matrix").map(Double.init), 3)
    let x = batch.samples.map { Double(Float(bitPattern: $0)) }
    var wanted = [Double](repeating: 0, count: weight.count)
    var wantedBias = [Double](repeating: 0, count: 3)
    /// Calls with the weight's and the pixel's place for every tap of an output pixel.
    func taps(_ sample: Int, _ row: Int, _ column: Int, _ channel: Int, _ body: (Int, Int) -> Void) {
      for input in 0..<2 {
        for i in 0..<3 {
          for j in 0..<3 {
            let (y, z) = (2 * row + i - 1, 2 * column + j - 1)
            guard (0..<5).contains(y), (0..<6).contains(z) else { continue }
            body(((channel * 2 + input) * 3 + i) * 3 + j, ((sample * 5 + y) * 6 + z) * 2 + input)
          }
        }
      }
    }
    for (sample, target) in PlainNetwork.targets(batch).enumerated() {
      var h = [Double](repeating: 0, count: 27)  // [row, column, channel]
      for place in 0..<27 {
        var sum = bias[place % 3]
        taps(sample, place / 9, place / 3 % 3, place % 3) { sum += weight[$0] * x[$1] }
        h[place] = tanh(sum)
      }
      // Flattened images go channel by channel.
      let outputs = (0..<3).map { output -> Double in
        var sum = headBias[output]
        for place in 0..<27 { sum += head[output * 27 + place % 3 * 9 + place / 3] * h[place] }
        return sum
      }
      let error = PlainNetwork.error(outputs, target, .crossEntropy, count: batch.count)
      let projected = PlainNetwork.product(rule == "error" ? error : target, matrix)
      for place in 0..<27 {
        let signal =
          switch rule {
          case "error": projected[place]
          case "drtp": projected[place] / Double(batch.count)
          default: (h[place] - projected[place]) / Double(9 * batch.count)
          }
        let delta = signal * (1 - h[place] * h[place])
        wantedBias[place % 3] += delta
        taps(sample, place / 9, place / 3 % 3, place % 3) { wanted[$0] += delta * x[$1] }
      }
    }
    #expect(distance(run.gradient("0.weight"), wanted) < 2e-6)
    #expect(distance(run.gradient("0.bias"), wantedBias) < 2e-6)
  }

  // MARK: Recurrent layers

  @Test("a recurrent layer gets the same target at each step and nothing through time", arguments: [true, false])
  func recurrence(_ last: Bool) throws {
    let batch = RuleRun.Batch(input: Signal([4, 2]))
    let run = try RuleRun(
      "tpsgd", "[{recurrent: {hidden: 5, cell: tanh, last: \(last)}}, \(last ? "" : "flatten, "){linear: 3}]", batch)
    let names = ["0.weight_ih_l0", "0.weight_hh_l0", "0.bias_ih_l0", "0.bias_hh_l0"]
    let p = names.map { run.scalars($0).map(Double.init) }
    let matrix = PlainNetwork.rows(run.scalars("auxiliary.0.matrix").map(Double.init), 3)
    #expect(matrix[0].count == 5)
    let x = batch.samples.map { Double(Float(bitPattern: $0)) }
    var wanted = p.map { $0.map { _ in 0.0 } }
    for (sample, target) in PlainNetwork.targets(batch).enumerated() {
      let towards = PlainNetwork.product(target, matrix)
      var before = [Double](repeating: 0, count: 5)
      for step in 0..<4 {
        let input = Array(x[(sample * 4 + step) * 2..<(sample * 4 + step) * 2 + 2])
        let h = (0..<5).map { unit -> Double in
          var sum = p[2][unit] + p[3][unit]
          for i in 0..<2 { sum += p[0][unit * 2 + i] * input[i] }
          for i in 0..<5 { sum += p[1][unit * 5 + i] * before[i] }
          return tanh(sum)
        }
        for unit in 0..<5 {
          let delta = (h[unit] - towards[unit]) / Double(batch.count) * (1 - h[unit] * h[unit])
          for i in 0..<2 { wanted[0][unit * 2 + i] += delta * input[i] }
          for i in 0..<5 { wanted[1][unit * 5 + i] += delta * before[i] }
          wanted[2][unit] += delta
          wanted[3][unit] += delta
        }
        before = h
      }
    }
    for (name, gradient) in zip(names, wanted) { #expect(distance(run.gradient(name), gradient) < 2e-6, "\(name)") }
  }

  // MARK: Relations

  /// Models of every kind of product, with strides, groups and dilation.
  static let products: [(String, RuleRun.Batch)] = [
    (net, RuleRun.Batch()),
    (
      "[{convolution: {channels: 8, kernel: 3, padding: 1}}, tanh, "
        + "{convolution: {channels: 12, kernel: 3, stride: 2, padding: 1, groups: 2}}, batch-norm, tanh, "
        + "{convolution: {channels: 8, kernel: 3, dilation: 2, padding: 2}}, tanh, "
        + "{convolution: {channels: 8, kernel: 1}}, tanh, flatten, {linear: 3}]",
      RuleRun.Batch(input: Signal([8, 8, 4]))
    ),
    (
      "[{recurrent: {hidden: 6, cell: tanh}}, {recurrent: {hidden: 5, cell: lstm}}, {recurrent: {hidden: 4, cell: gru, "
        + "last: true}}, {linear: 3}]", RuleRun.Batch(input: Signal([4, 3]))
    ),
  ]

  @Test(
    "feedback alignment through the weights themselves is backpropagation", arguments: products.indices,
    [Compute.Precision.float32, .bfloat16])
  func own(_ model: Int, _ precision: Compute.Precision) throws {
    let (layers, batch) = Self.products[model]
    let compute = Compute(precision: precision)
    let known = try RuleRun("backpropagation", layers, batch, compute: compute)
    let own = try RuleRun("feedback-alignment", layers, batch, compute: compute) { Self.setFeedback($0, times: 1) }
    #expect(own.gradient == known.gradient)
    let random = try RuleRun("feedback-alignment", layers, batch, compute: compute)
    #expect(distance(random.gradient, known.gradient) > 0.1)
    #expect(random.loss == known.loss)
  }

  @Test("through twice the weights, every layer's gradient is twice as large for each product above it")
  func twice() throws {
    let layers =
      "[{convolution: {channels: 8, kernel: 3, padding: 1}}, tanh, "
      + "{convolution: {channels: 12, kernel: 3, stride: 2, padding: 1, groups: 2}}, tanh, "
      + "{convolution: {channels: 8, kernel: 3, dilation: 2, padding: 2}}, tanh, flatten, {linear: 3}]"
    let batch = RuleRun.Batch(input: Signal([8, 8, 4]))
    for backend in Compute.Backend.allCases {
      let compute = Compute(backend: backend)
      try compute.check()
      let known = try RuleRun("backpropagation", layers, batch, compute: compute)
      let twice = try RuleRun("feedback-alignment", layers, batch, compute: compute) { Self.setFeedback($0, times: 2) }
      for (place, factor) in [(0, Float(8)), (2, 4), (4, 2), (7, 1)] {
        let name = "\(place).weight"
        #expect(distance(twice.gradient(name), known.gradient(name).map { $0 * factor }) < 1e-6, "\(name)")
      }
    }
  }

  /// Makes random matrices multiples of the weights that they stand in for.
  static func setFeedback(_ store: ParameterStore, times factor: Float) {
    let prefix = "auxiliary.feedback."
    for state in store.layout.states where state.name.hasPrefix(prefix) {
      let parameter = store.layout.parameters.first { $0.name == state.name.dropFirst(prefix.count) }!
      for i in 0..<state.range.count {
        store.states.base[state.range.lowerBound + i] =
          factor * store.parameters.base[parameter.range.lowerBound + i]
      }
    }
  }

  @Test("with one hidden layer, direct feedback alignment is feedback alignment")
  func oneHiddenLayer() throws {
    let layers = "[{linear: 5}, tanh, {linear: 3}]"
    func fill(_ store: ParameterStore) {
      for i in 0..<15 { store.states.base[i] = Float(i) - 6.5 }
    }
    let direct = try RuleRun("direct-feedback-alignment", layers, adjust: fill)
    #expect(try RuleRun("feedback-alignment", layers, adjust: fill).gradient == direct.gradient)
  }

  @Test(
    "what follows the last nonlinearity learns as by backpropagation",
    arguments: ["direct-feedback-alignment", "drtp", "tpsgd"])
  func outputs(_ rule: String) throws {
    let known = try RuleRun("backpropagation", Self.net)
    let run = try RuleRun(rule, Self.net)
    #expect(run.loss == known.loss)
    #expect(distance(run.gradient("4.weight"), known.gradient("4.weight")) < 1e-6)
    #expect(distance(run.gradient("0.weight"), known.gradient("0.weight")) > 0.1)
  }

  @Test("modules in programs of their own give the same bits", arguments: ["drtp", "tpsgd"])
  func stages(_ rule: String) throws {
    for (layers, batch) in Self.products {
      let learning = try #require(try RuleRun.prepare(rule, layers, batch) as? any ModularLearning)
      let count = learning.modules.count
      let plans = (0..<count).map {
        Programs.training(learning, modules: $0..<$0 + 1, Compute(), batch: batch.count)
      }
      let whole = try RuleRun(rule, layers, batch)
      let parts = RuleRun(learning, batch, plans)
      #expect(parts.gradient == whole.gradient)
      #expect(parts.loss == whole.loss)
    }
  }

  @Test(
    "models with outputs at every position get a signal for each",
    arguments: ["direct-feedback-alignment", "drtp", "tpsgd"])
  func positions(_ rule: String) throws {
    var batch = RuleRun.Batch(input: Signal(tokens: [6], vocabulary: 7), outputs: 7, target: [6])
    batch.count = 2
    let layers = "[{embedding: 8}, {linear: 5}, tanh, {linear: 4}, tanh, {linear: 7}]"
    let run = try RuleRun(rule, layers, batch)
    #expect(run.layout.states.map(\.shape) == [[7, 5], [7, 4]])
    #expect(run.gradient.allSatisfy { $0.isFinite })
    // The rows of two samples are those of a sample of both.
    var longer = RuleRun.Batch(input: Signal(tokens: [12], vocabulary: 7), outputs: 7, target: [12])
    longer.count = 1
    #expect(distance(run.gradient, try RuleRun(rule, layers, longer).gradient) < 1e-6)
  }

  @Test("blocks that keep their weights get no gradient")
  func frozen() throws {
    let run = try RuleRun("{name: drtp, frozen: 1}", Self.net)
    #expect(run.gradient("0.weight").allSatisfy { $0 == 0 })
    #expect(try RuleRun("drtp", Self.net).gradient("2.weight") == run.gradient("2.weight"))
  }

  // MARK: Bad input

  @Test(
    "bad options are errors that name the key",
    arguments: [
      ("{name: drtp, frozen: 3}", "learning.frozen is 3, but layers has 2 hidden blocks"),
      ("{name: drtp, hidden-scale: 0}", "learning.hidden-scale"),
      ("{name: drtp, blocks: 9}", "learning.blocks is 9"),
      ("{name: tpsgd, loss: l3}", "learning.loss"), ("{name: tpsgd, target-bound: -1}", "learning.target-bound"),
      ("{name: direct-feedback-alignment, signal: loud}", "learning.signal"),
      ("{name: feedback-alignment, blocks: 2}", "unknown key `blocks`"),
      ("{name: drtp, guidance: {model: mlp}}", "choose learning: backpropagation instead of drtp"),
      ("{name: backpropagation, guidance: {model: {layers: [flatten, {linear: 3}]}}}", "has no nonlinearity"),
      ("{name: backpropagation, gradient-noise: {scale: -1}}", "learning.gradient-noise.scale"),
      ("{name: backpropagation, gradient-noise: {decay: 1}}", "learning.gradient-noise.scale"),
    ])
  func options(_ rule: String, _ message: String) throws {
    let error = try #require(throws: ConfigurationError.self) { try RuleRun.prepare(rule, Self.net, .init()) }
    #expect("\(error)".contains(message), "\(error)")
  }

  @Test(
    "models that a rule cannot train are errors that name what is missing",
    arguments: ["direct-feedback-alignment", "drtp", "tpsgd"])
  func models(_ rule: String) throws {
    let flat = try #require(throws: ConfigurationError.self) { try RuleRun.prepare(rule, "[{linear: 3}]", .init()) }
    #expect("\(flat)".contains("no nonlinearity"), "\(flat)")
    let large = try #require(throws: ConfigurationError.self) {
      try RuleRun.prepare(
        rule, "[{convolution: {channels: 1000000, kernel: 1}}, tanh, global-average-pool, {linear: 3}]",
        .init(input: Signal([32, 32, 1])))
    }
    #expect("\(large)".contains("\(rule) cannot train layer `1` (tanh)"), "\(large)")
  }
}
