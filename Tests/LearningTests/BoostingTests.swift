import Communication
import Datasets
import Glibc
import Layers
import Learning
import Tensors
import Testing
import Training

@Suite("Gradient boosting")
struct BoostingTests {
  static func network(_ units: Int) -> String { "model={layers: [flatten, {linear: \(units)}, sigmoid, {linear: 10}]}" }
  static let digits = [
    network(6), "training={steps: 3, batch: 150, shards: 5}",
  ]
  static let rule = "{name: gradient-boosted, units: 2, shrinkage: 0.5, iterations: 40}"

  // MARK: L-BFGS

  @Test("L-BFGS finds the least of a quadratic in few iterations")
  func quadratic() {
    let (bends, aim) = ([1.0, 10, 100, 1000, 3], [1.0, -2, 0.5, 3, 0])
    let found = LimitedMemoryBFGS(iterations: 100).minimise(from: [0, 0, 0, 0, 0]) { (x, gradient) -> Double in
      var value = 0.0
      for i in x.indices {
        gradient[i] = bends[i] * (x[i] - aim[i])
        value += 0.5 * bends[i] * (x[i] - aim[i]) * (x[i] - aim[i])
      }
      return value
    }
    for (x, y) in zip(found.x, aim) { #expect(abs(x - y) < 1e-4) }
    #expect(found.iterations < 40)
  }

  @Test("L-BFGS follows Rosenbrock's valley", arguments: [[-1.2, 1], [3, -4], [0, 0, 0, 0]])
  func rosenbrock(_ start: [Double]) {
    var rule = LimitedMemoryBFGS(iterations: 400)
    rule.gain = 1e-14
    let found = rule.minimise(from: start) { (x, gradient) -> Double in
      var value = 0.0
      for i in x.indices.dropLast() {
        let (bend, slope) = (x[i + 1] - x[i] * x[i], 1 - x[i])
        value += 100 * bend * bend + slope * slope
        gradient[i] += -400 * bend * x[i] - 2 * slope
        gradient[i + 1] += 200 * bend
      }
      return value
    }
    for x in found.x { #expect(abs(x - 1) < 1e-4) }
    #expect(found.value < 1e-9)
    let short = LimitedMemoryBFGS(iterations: 3).minimise(from: start) { (x, gradient) -> Double in
      for i in x.indices { gradient[i] = 2 * x[i] + 2 * sin(x[i]) }
      return x.reduce(0) { $0 + $1 * $1 - 2 * cos($1) }
    }
    #expect(short.iterations <= 3)
  }

  // MARK: Formulas

  @Test("a fit's gradient is that of differences")
  func fit() {
    let shape = BoostedUnits(inputs: 11, units: 3, outputs: 2)
    var random = RandomStream(seed: 3, .test)
    var numbers = (0..<shape.count).map { _ in Double(random.normal()) }
    let x = (0..<11).map { _ in random.normal() }
    let r = [0.3, -1.2]
    var scratch = [Double](repeating: 0, count: 7)
    func loss(_ gradient: inout [Double]) -> Double {
      shape.addFit(numbers, x, r, weight: 0.7, gradient: &gradient, scratch: &scratch)
    }
    var gradient = [Double](repeating: 0, count: shape.count)
    _ = loss(&gradient)
    for index in numbers.indices {
      var unused = gradient
      let known = numbers[index]
      numbers[index] = known + 1e-6
      let above = loss(&unused)
      numbers[index] = known - 1e-6
      let below = loss(&unused)
      numbers[index] = known
      #expect(abs((above - below) / 2e-6 - gradient[index]) < 1e-7)
    }
  }

  @Test("residuals are the negative slopes of the loss, and ρ a Newton step along the new units")
  func formulas() {
    let cases: [(BoostingLoss, [Double], [Double], [Double])] = [
      (.twoClasses, [1], [0.4], [0.7]), (.twoClasses, [-1], [0.4], [-0.3]),
      (.classes(3), [0, 1, 0], [0.2, -0.5, 1.1], [0.3, 0.8, -0.4]),
    ]
    for (loss, y, f, new) in cases {
      func value(_ f: [Double]) -> Double { loss.loss(y, f).value }
      var r = [Double](repeating: 0, count: f.count)
      loss.residual(y, f, into: &r)
      var curvature = 0.0
      for index in f.indices {
        func moved(_ by: Double) -> Double {
          var other = f
          other[index] += by
          return value(other)
        }
        #expect(abs(r[index] + (moved(1e-5) - moved(-1e-5)) / 2e-5) < 1e-8)
        // The diagonal of the second derivatives.
        curvature += new[index] * new[index] * (moved(1e-4) + moved(-1e-4) - 2 * value(f)) / 1e-8
      }
      let step = loss.newton(y, r, new)
      #expect(abs(step.slope - zip(r, new).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-12)
      #expect(abs(step.curvature - curvature) < 1e-5)
      #expect(loss.factor(shrinkage: 0.5, slope: 3, curvature: 2) == 0.75)
      #expect(loss.factor(shrinkage: 0.5, slope: 3, curvature: 0) == 0)
    }
    let squares = BoostingLoss.squares(values: 1)
    var r = [0.0]
    squares.residual([3], [1], into: &r)
    #expect(r == [2] && squares.factor(shrinkage: 0.5, slope: 3, curvature: 2) == 0.5)
    #expect(squares.beginning([4]) == [4] && BoostingLoss.classes(3).beginning([1, 2, 3]) == [0, 0, 0])
    #expect(abs(BoostingLoss.twoClasses.beginning([0.2])[0] - 0.5 * log(1.2 / 0.8)) < 1e-12)
  }

  @Test("the model's outputs are those of the ensemble, rounds later")
  func merging() throws {
    let prepared = try LearningRun.prepare(Self.rule, Self.digits)
    let network = try #require(prepared.learning.boosting)
    let store = ParameterStore(prepared.model.layout)
    network.clear(store, beginning: (0..<10).map { Double($0) / 10 })
    let source = prepared.dataset.training
    let rows = 4
    let batch = Batch(capacity: rows, of: source)
    batch.fill(from: source, samples: (0..<Int32(rows)).map { $0 }[...], epoch: 0)
    let width = source.inputShape.count
    var expected = (0..<rows).map { _ in (0..<10).map { Double($0) / 10 } }
    for round in 0..<3 {
      var numbers = network.start(round: round, seed: 5)
      network.roundHidden(&numbers)
      let factor = 0.4 + Double(round)
      network.merge(numbers, factor: factor, round: round, into: store)
      for row in 0..<rows {
        var (hidden, f) = ([0.0, 0], [Double](repeating: 0, count: 10))
        network.round.apply(numbers, batch.inputFloats + row * width, hidden: &hidden, into: &f)
        for output in 0..<10 { expected[row][output] += factor * f[output] }
      }
    }
    let plan = Programs.inference(prepared.learning, reportsLoss: false, prepared.compute, batch: rows)
    let executor = Executor(plan, pool: Pool(bytes: plan.poolBytes))
    executor.run(
      Executor.Inputs(
        store: store, version: 0, gradients: nil, samples: batch.input, targets: batch.targets,
        sampleKeys: batch.sampleKeys))
    for (made, wanted) in zip(executor.result(0), expected.joined()) { #expect(abs(Double(made) - wanted) < 1e-4) }
  }

  // MARK: Laws

  @Test("digests are equal for all rank and thread counts")
  func ranks() throws {
    let alone = try LearningRun.train(Self.rule, Self.digits)
    for ranks in [2, 3, 5] {
      #expect(try LearningRun.train(Self.rule, ranks: ranks, Self.digits).parametersDigest == alone.parametersDigest)
    }
    let threads = try LearningRun.train(Self.rule, ranks: 2, Self.digits + ["compute.threads=2"])
    #expect(threads.parametersDigest == alone.parametersDigest)
  }

  @Test("more units leave less over, whatever the targets")
  func learns() throws {
    func loss(_ rounds: Int, _ changes: [String]) throws -> (loss: Double, accuracy: Double?) {
      let summary = try LearningRun.train(
        "{name: gradient-boosted, shrinkage: 0.5, iterations: 40}",
        ["training={steps: \(rounds), batch: 150}"] + changes)
      return (try #require(summary.loss), summary.accuracy)
    }
    let few = try loss(2, [Self.network(2)])
    let many = try loss(24, [Self.network(24)])
    #expect(many.loss < few.loss)
    #expect(try #require(many.accuracy) > 0.6)
    let reconstruction = "data={name: digits, subset: 310, targets: inputs}"
    func decoder(_ units: Int) -> String { "model={layers: [flatten, {linear: \(units)}, sigmoid, {linear: 64}]}" }
    // Values of one row a sample; images have another last axis than a row.
    #expect(throws: (any Error).self) { try loss(2, [decoder(2), reconstruction]) }
  }

  @Test("what does not fit is refused by name")
  func refusals() {
    func message(_ learning: String, _ changes: [String]) -> String {
      do {
        _ = try LearningRun.train(learning, changes)
        return "trained"
      } catch { return "\(error)" }
    }
    #expect(message(Self.rule, []).contains("[flatten,] linear, sigmoid, linear"))
    #expect(message("{name: gradient-boosted, units: 4}", Self.digits).contains("learning.units is 4"))
    #expect(message(Self.rule, Self.digits + ["training.steps=4"]).contains("training.steps to 3"))
    #expect(message(Self.rule, Self.digits + ["training.label-smoothing=0.1"]).contains("without smoothing"))
    #expect(message(Self.rule, Self.digits + ["strategy=zero"]).contains("leave out strategy"))
    #expect(message("{name: gradient-boosted, shrinkage: 0}", Self.digits).contains("learning.shrinkage"))
  }
}
