import Configuration
import Layers
import Learning
import Tensors
import Testing

@Suite("AugLocal's auxiliary nets")
struct AugLocalTests {
  /// What each module but the last copies, of a network of `layers` blocks.
  static func plan(layers: Int = 16, depth: Int) -> (depths: [Int], copied: [[Int]]) {
    let depths = AuxiliaryDepths(layers: layers, depth: depth, pyramid: 0.5)
    let modules = 0..<depths.modules - 1
    return (modules.map(depths.depth), modules.map(depths.copied))
  }

  @Test("have the depths and blocks of the authors' formulas in ResNet-32")
  func formulas() {
    let two = Self.plan(depth: 2)
    #expect(two.depths == [Int](repeating: 2, count: 13))
    #expect(two.copied[0] == [8, 15])
    #expect(two.copied[12] == [14, 15])
    let three = Self.plan(depth: 3)
    #expect(three.depths == [3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2])
    let four = Self.plan(depth: 4)
    #expect(four.depths == [4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 2])
    #expect(four.copied[0] == [4, 8, 11, 15])
    let five = Self.plan(depth: 5)
    #expect(five.depths == [5, 5, 5, 4, 4, 4, 4, 3, 3, 3])
    #expect(five.copied[0] == [3, 6, 9, 12, 15])
  }

  @Test("end with the last block, and copy blocks after their own, once each", arguments: [2, 3, 9, 16, 55])
  func order(_ layers: Int) {
    for depth in 1..<layers {
      let plan = Self.plan(layers: layers, depth: depth)
      #expect(plan.depths.count == layers - depth - 1)
      for (module, copied) in plan.copied.enumerated() {
        #expect(copied.last == layers - 1)
        #expect(copied.allSatisfy { $0 > module })
        #expect(copied == Set(copied).sorted())
      }
    }
  }

  /// Shapes of the parameters of one module's net, by name.
  static func parameters(_ rule: String, _ model: String, module: Int) throws -> [String] {
    let learning = try RuleWithoutData.prepare(rule, model, input: Signal([32, 32, 3]))
    let prefix = "auxiliary.\(module)."
    return learning.model.layout.parameters.filter { $0.name.hasPrefix(prefix) && $0.shape.rank > 1 }.map {
      "\($0.name.dropFirst(prefix.count)) \($0.shape)"
    }
  }

  @Test("are blocks of the chosen layers' widths, whose second halving waits for the next block")
  func widths() throws {
    // The stem goes to blocks of 32 and 64 channels.
    #expect(
      try Self.parameters("auglocal", "resnet32", module: 0) == [
        "0.10.c1.weight [32, 16, 3, 3]", "0.10.c2.weight [32, 32, 3, 3]", "0.10.short.0.weight [32, 16, 1, 1]",
        "1.17.c1.weight [64, 32, 3, 3]", "1.17.c2.weight [64, 64, 3, 3]", "1.17.short.0.weight [64, 32, 1, 1]",
        "3.weight [10, 64]",
      ])
    let learning = try RuleWithoutData.prepare("{name: auglocal, depth: 1}", "resnet32", input: Signal([32, 32, 3]))
    // One block from 16 to 64 channels at stride 2, and a normalisation before the classifier.
    let names = learning.model.layout.parameters.map(\.name).filter { $0.hasPrefix("auxiliary.0.") }
    #expect(names.contains("auxiliary.0.2.weight") && names.contains("auxiliary.0.2.bias"))
  }

  @Test("train lists of convolutions and linear layers, whatever is skipped")
  func lists() throws {
    for model in ["cnn", "vgg11", "{name: mlp, widths: [9, 8, 7, 6]}"] {
      for depth in 1...2 {
        let learning = try RuleWithoutData.prepare(
          "{name: auglocal, depth: \(depth)}", model, input: Signal([32, 32, 3]))
        let run = RuleWithoutData.run(Programs.training(learning, Compute(), batch: 2), learning.model)
        #expect(run.gradients.allSatisfy { $0.isFinite })
      }
    }
    let names = try Self.parameters("{name: auglocal, depth: 1}", "cnn", module: 0)
    #expect(names == ["0.f1.weight [128, 8192]", "2.weight [10, 128]"])
  }
}
