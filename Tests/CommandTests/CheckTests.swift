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
    #expect(
      memory["all"] == ["activations", "parameters", "gradients", "optimizer"].reduce(0) { $0 + (memory[$1] ?? 0) })
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
