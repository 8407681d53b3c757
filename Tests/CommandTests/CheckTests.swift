import Foundation
import Testing

@Suite("check")
struct CheckTests {
  /// Models of every kind of layer, on the digits.
  static let models = [
    "{name: mlp, widths: [16], dropout: 0.3}",
    """
    {layers: [{convolution: {channels: 4, padding: 1}}, batch-norm, relu, {max-pool: 2}, {residual: [{convolution: \
    {channels: 4, padding: 1, groups: 2}}, {group-norm: 2}, silu]}, flatten, {linear: 8}, tanh, {linear: 10}]}
    """,
    """
    {layers: [{convolution: {channels: 6, kernel: 3, stride: 2}}, {average-pool: 2}, gelu, global-average-pool, \
    layer-norm, {dropout: 0.2}, {linear: 10}]}
    """,
  ]

  @Test("The gradients of every kind of layer are right", arguments: models)
  func gradients(_ model: String) throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    let result = try tool.run("check", "digits.yaml", "--json", "--set", "model=\(model)")
    result.expectSuccess()
    #expect(result.json["gradients_right"] as? Bool == true)
    let worst = try #require(result.json["worst_gradient"] as? [String: Any])
    #expect(worst["name"] is String && worst["error"] is Double)
    let layers = try #require(result.json["layers"] as? [[String: Any]])
    let parameters = layers.compactMap { $0["parameters"] as? Int }.reduce(0, +)
    #expect(parameters == result.json["parameters"] as? Int)
    for layer in layers {
      for key in ["name", "kind", "output", "parameters", "flops_per_sample"] { #expect(layer[key] != nil, "\(layer)") }
    }
    let memory = try #require(result.json["memory_bytes"] as? [String: Int])
    for part in ["weights", "gradients", "optimizer", "activations", "batches"] { #expect(memory[part] ?? 0 > 0) }
    #expect(memory["all"] == memory.reduce(0) { $0 + ($1.key == "all" ? 0 : $1.value) })
  }

  @Test("People see the layers, their shapes, memory and the verdict; nothing is written")
  func table() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    let result = try tool.run("check", "digits.yaml")
    result.expectSuccess()
    for word in ["layer", "linear", "1,040", "relu", "memory", "gradients  right: 4 tensors", "8×8×1 → 10"] {
      #expect(result.output.contains(word), "no \(word)")
    }
    #expect(tool.names() == ["digits.yaml"])
  }

  @Test("Memory is that of the ranks asked for: ZeRO's share gets smaller")
  func ranks() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    func memory(_ ranks: Int, _ key: String, _ part: String) throws -> Int {
      let result = try tool.run(
        "check", "digits.yaml", "--no-gradients", "--json", "--ranks", "\(ranks)", "--set", "strategy=zero", "--set",
        "model.widths=[256, 256]")
      result.expectSuccess()
      return try #require((result.json[key] as? [String: Int])?[part])
    }
    let one = try memory(1, "memory_bytes", "optimizer")
    #expect(try memory(4, "memory_bytes", "optimizer") < one / 3)
    #expect(try memory(4, "memory_bytes_of_all_ranks", "optimizer") == one)
    #expect(try memory(4, "memory_bytes_of_all_ranks", "weights") == 4 * memory(1, "memory_bytes", "weights"))
    try tool.run("check", "digits.yaml", "--ranks", "5").expectFailure(3, "5 ranks", "training.shards: 4")
  }

  @Test("Without gradients it says nothing about them")
  func without() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    let result = try tool.run("check", "digits.yaml", "--no-gradients", "--json")
    result.expectSuccess()
    #expect(result.json["gradients"] == nil)
    #expect(result.json["parameters"] as? Int == 1210)
  }

  @Test("A layer that does not fit is exit 3 and named")
  func misfit() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    let model = "{layers: [{convolution: {channels: 4, kernel: 11}}, flatten, {linear: 10}]}"
    try tool.run("check", "digits.yaml", "--set", "model=\(model)").expectFailure(3, "convolution", "kernel 11")
  }
}
