import Tensors
import Testing

@Suite("Activations")
struct ActivationTests {
  static let functions: [String: @Sendable (Recorder, Value) -> Value] = [
    "relu": { $0.relu($1) }, "tanh": { $0.tanh($1) }, "sigmoid": { $0.sigmoid($1) }, "silu": { $0.silu($1) },
    "elu": { $0.elu($1) }, "gelu-tanh": { $0.gelu($1, approximation: .tanh) }, "gelu-erf": { $0.gelu($1) },
  ]
  static let names = functions.keys.sorted()

  static func run(_ name: String, _ x: [Float], dy: [Float]? = nil) throws -> Harness {
    let function = try #require(functions[name])
    return Harness([Array32(Shape([x.count]), x)], weights: dy) { recorder, p in function(recorder, p[0]) }
  }

  @Test(arguments: names)
  func agreesWithPyTorch(_ name: String) throws {
    let golden = Goldens.of(name)[0]
    let run = try Self.run(name, golden["x"].scalars, dy: golden["dy"].scalars)
    for (i, x) in golden["x"].scalars.enumerated() {
      let (y, expected) = (run.output[i], golden["y"].scalars[i])
      // PyTorch's formula for the error function cancels far below 0, where ours does not.
      #expect(abs(y - expected) <= 1e-6 * abs(expected) + 1e-30, "\(name)(\(x)) = \(y), not \(expected)")
      let (dx, slope) = (run.gradients[0][i], golden["dx"].scalars[i])
      #expect(abs(dx - slope) <= 1e-6 * (abs(slope) + abs(golden["dy"].scalars[i])), "\(name) gradient at \(x)")
    }
  }

  /// All lengths up to several vectors, because the rest of a vector is another loop.
  @Test(arguments: names)
  func gradientsMatchDifferencesAtOddSizes(_ name: String) throws {
    let function = try #require(Self.functions[name])
    for count in [1, 2, 15, 16, 17, 33, 64, 67, 129] {
      let x = Array32.random([count], UInt64(count)).scalars.map { $0 * 2 + ($0 > 0 ? 0.1 : -0.1) }
      expectGradientsMatchDifferences([Array32([count], x)], step: 2e-3) { recorder, p in function(recorder, p[0]) }
    }
  }

  /// In place, where nobody else reads the input, and out of place.
  @Test(arguments: names)
  func memoryMakesNoDifference(_ name: String) throws {
    let function = try #require(Self.functions[name])
    let x = Array32.random([67], 1)
    let inPlace = Harness([x]) { recorder, p in function(recorder, recorder.scale(p[0], by: 2)) }
    let kept = Harness([x]) { recorder, p in
      let doubled = recorder.scale(p[0], by: 2)
      recorder.result(doubled)
      let y = function(recorder, doubled)
      return recorder.add(y, recorder.scale(doubled, by: 0))
    }
    #expect(Self.outputs(x, function) == inPlace.output)
    #expect(inPlace.gradients == kept.gradients)
  }

  private static func outputs(_ x: Array32, _ function: (Recorder, Value) -> Value) -> [Float] {
    Harness([Array32(x.shape, x.scalars.map { $0 * 2 })]) { recorder, p in function(recorder, p[0]) }.output
  }

  @Test(arguments: names)
  func nanPropagates(_ name: String) throws {
    let run = try Self.run(name, [1, .nan, -1, 2], dy: [1, 1, .nan, 1])
    #expect(run.output.map { $0.isNaN } == [false, true, false, false])
    // What is 0 whatever dy says stays 0, as in PyTorch; relu lets dy through where y is NaN.
    #expect(run.gradients[0].map { $0.isNaN } == [false, name != "relu", name != "relu", false])
  }

  @Test(arguments: names)
  func infinitiesHaveTheirLimits(_ name: String) throws {
    let run = try Self.run(name, [.infinity, -.infinity])
    let top: Float = ["tanh", "sigmoid"].contains(name) ? 1 : .infinity
    let bottom: Float = ["tanh": -1, "elu": -1][name] ?? 0
    #expect(run.output == [top, bottom])
    #expect(run.gradients[0] == [["tanh", "sigmoid"].contains(name) ? 0 : 1, 0])
  }

  @Test func eluTakesAlpha() {
    expectGradientsMatchDifferences([.random([40], 1)], step: 1e-3) { recorder, p in recorder.elu(p[0], alpha: 0.3) }
    let run = Harness([Array32([2], [-.infinity, 2])]) { recorder, p in recorder.elu(p[0], alpha: 0.3) }
    #expect(run.output == [-0.3, 2])
  }
}
