import Foundation
import Tensors
import Testing

@Suite("The same training as PyTorch, from the same weights on the same batches")
struct TraceTests {
  @Test("the formulas that both sides make numbers by are the same")
  func formulas() {
    let stream = Stream("x/0")
    #expect(Stream.splitmix64(0) == 0xE220_A839_7B1D_CDAF)
    #expect((0..<4).map { stream[$0] } == [3_390_577, 6_103_516, 11_356_838, 16_094_994])
    #expect((0..<4).map { stream.whole($0, below: 65) } == [13, 23, 43, 62])
    let root = Float(3).squareRoot()
    #expect((0..<4).map { stream.symmetric($0, bound: root) } == [-1.0319761, -0.47181788, 0.61286986, 1.591188])
  }

  static let backends: [Compute] = [Compute(backend: .onednn), Compute(backend: .openblas)]

  private func report(_ what: String, _ error: Double) {
    if ProcessInfo.processInfo.environment["NNDIST_TEST_NUMBERS"] != nil { print("measured: \(what) \(error)") }
  }

  /// Checks 20 losses and the logits.
  private func compare(
    _ trace: Trace, _ model: String, _ optimizer: String, _ compute: Compute, losses bound: Double
  ) throws -> Trace.Outcome {
    let outcome = try trace.train(model, optimizer, compute)
    let error = worstRelative(outcome.losses, trace.description.float64Losses)
    report("\(trace.name) \(compute.backend) losses", error)
    #expect(error <= bound)
    // The loss changes, so the weights do.
    #expect(Set(outcome.losses).count == outcome.losses.count)
    let expected = try trace.array("logits")
    let logits = try trace.logits(model, compute)
    let largest = expected.map { abs($0) }.max() ?? 0
    let distance = zip(logits, expected).map { abs($0 - $1) }.max() ?? .infinity
    report("\(trace.name) \(compute.backend) logits", Double(distance))
    #expect(logits.count == expected.count)
    #expect(distance <= 1e-4 * max(1, largest))
    return outcome
  }

  @Test("a multilayer perceptron: every loss of 20 steps to 1e-5", arguments: backends)
  func mlp(_ compute: Compute) throws {
    _ = try compare(
      Trace("mlp"), "model: mlp", "optimizer: {name: sgd, learning-rate: 0.01, momentum: 0.9}", compute, losses: 1e-5)
  }

  @Test("a convolutional network: every loss of 20 steps to 1e-5", arguments: backends)
  func cnn(_ compute: Compute) throws {
    _ = try compare(
      Trace("cnn"), "model: cnn", "optimizer: {name: sgd, learning-rate: 0.01, momentum: 0.9}", compute, losses: 1e-5)
  }

  @Test("ResNet-20: losses of 20 steps to 1e-3, first gradients within twice PyTorch's own error in Float32")
  func resnet() throws {
    let trace = try Trace("resnet20")
    let outcome = try compare(
      trace, "model: resnet20", "optimizer: {name: sgd, learning-rate: 1e-3}", Compute(), losses: 1e-3)
    var worst = 0.0
    for parameter in trace.description.parameters {
      let exact = try trace.array("gradients/\(parameter.name)")
      let mine = try #require(outcome.gradients[parameter.name])
      let own = try #require(parameter.float32Error)
      let error = relativeError(mine, exact)
      report("resnet20 gradient \(parameter.name), PyTorch's \(own.default) and \(own.channelsLast)", error)
      #expect(error <= 2 * max(own.default, own.channelsLast), "\(parameter.name)")
      worst = max(worst, error)
    }
    report("resnet20 worst gradient", worst)
  }

  @Test("a transformer: losses of 20 steps to 1e-4", arguments: backends)
  func gpt(_ compute: Compute) throws {
    _ = try compare(
      Trace("gpt"), "model: gpt", "optimizer: {name: adamw, learning-rate: 3e-4, weight-decay: 0.01}", compute,
      losses: 1e-4)
  }
}
