import Tensors
import Testing

@Suite("Golden values")
struct GoldensTests {
  @Test(arguments: Goldens.of("linear"))
  func linearLayers(_ golden: Golden) {
    let names = ["x", "weight"] + (golden.flag("bias") ? ["bias"] : [])
    let run = Harness(names.map { golden[$0] }, weights: golden["dy"].scalars) { recorder, p in
      recorder.linear(p[0], p[1], bias: p.count > 2 ? p[2] : nil)
    }
    #expect(relativeError(run.output, golden["y"].scalars) < 1e-6)
    for (name, gradient) in zip(names, run.gradients) {
      #expect(relativeError(gradient, golden["d" + name].scalars) < 1e-6, "d\(name)")
    }
  }
}
