import Tensors
import Testing
import Training

@Suite("Gradients against finite differences")
struct GradientCheckTests {
  /// L = Σ (w − target)² over two tensors: the gradient is 2 (w − target).
  private func findings(_ spoil: (UnsafeMutablePointer<Float>) -> Void) -> [GradientCheck.Finding] {
    var scope = ParameterScope()
    _ = scope.parameter("a", [6, 5], .uniform(bound: 1))
    _ = scope.parameter("b", [5], .constant(0))
    let layout = scope.layout
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 3)
    let gradients = Storage(zeros: layout.gradientCount)
    func target(_ index: Int) -> Float { Float(index % 7) / 4 - 0.6 }
    for i in 0..<layout.parameterCount { gradients.base[i] = 2 * (store.parameters.base[i] - target(i)) }
    spoil(gradients.base)
    let before = Array(store.parameters.scalars)
    let findings = GradientCheck(store: store, gradients: gradients, seed: 1) {
      (0..<layout.parameterCount).reduce(0.0) {
        let difference = Double(store.parameters.base[$1] - target($1))
        return $0 + difference * difference
      }
    }.run()
    #expect(Array(store.parameters.scalars) == before, "the parameters are left as they were")
    return findings
  }

  @Test("A right gradient is right")
  func right() {
    for finding in findings({ _ in }) { #expect(finding.error < GradientCheck.tolerance / 10, "\(finding)") }
  }

  @Test(
    "A wrong one is wrong, and only it",
    arguments: [
      "scaled", "one sign", "reversed", "zero", "half zero", "not finite",
    ])
  func wrong(_ fault: String) {
    let found = findings { gradient in
      switch fault {
      case "scaled": for i in 0..<30 { gradient[i] *= 1.25 }
      case "one sign":
        let largest = (0..<30).max { abs(gradient[$0]) < abs(gradient[$1]) } ?? 0
        gradient[largest] = -gradient[largest]
      case "reversed": for i in 0..<15 { swap(&gradient[i], &gradient[29 - i]) }
      case "zero": for i in 0..<30 { gradient[i] = 0 }
      case "half zero": for i in 0..<15 { gradient[i] = 0 }
      default: gradient[7] = .nan
      }
    }
    #expect(found[0].name == "a" && !(found[0].error <= GradientCheck.tolerance), "\(found[0])")
    #expect(found[1].error <= GradientCheck.tolerance, "\(found[1])")
  }
}
