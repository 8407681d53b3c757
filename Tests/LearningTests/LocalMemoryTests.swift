import Layers
import Learning
import Tensors
import Testing

@Suite("Memory of local learning")
struct LocalMemoryTests {
  static func poolBytes(_ rule: String, _ model: String, batch: Int) throws -> Int {
    let learning = try RuleWithoutData.prepare(rule, model, input: Signal([32, 32, 3]))
    return Programs.training(learning, Compute(), batch: batch).poolBytes
  }

  @Test(
    "grows with the largest block, not with the number of blocks", arguments: ["dgl", "auglocal", "man", "infopro"])
  func depth(_ rule: String) throws {
    let shallow = try Self.poolBytes(rule, "resnet32", batch: 32)
    let deep = try Self.poolBytes(rule, "resnet110", batch: 32)
    #expect(Double(deep) < 1.02 * Double(shallow), "\(shallow) and \(deep) bytes")
  }

  @Test("of a deep network is far less than backpropagation's", arguments: ["dgl", "auglocal"])
  func comparison(_ rule: String) throws {
    let all = try Self.poolBytes("backpropagation", "resnet110", batch: 128)
    let local = try Self.poolBytes(rule, "resnet110", batch: 128)
    #expect(Double(local) < 0.65 * Double(all), "\(local) of \(all) bytes")
  }
}
