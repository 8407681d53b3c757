import Foundation
import Testing

@Suite("Graphs are trained on, node by node")
struct GraphRunTests {
  /// Sixty nodes in three groups of neighbours, whose features say little of the group; the last node is isolated.
  private static let group = (0..<60).map { $0 % 3 }
  private static let sets = (0..<60).map { ["train", "none", "val", "test", "test"][$0 / 3 % 5] }

  private func folder(layers: String = "[{graph-convolution: 8}, relu, {graph-convolution: 3}]") throws
    -> CommandLineTool
  {
    let tool = try CommandLineTool()
    let names = ["a", "b", "c"]
    var rows: [String] = []
    for node in 0..<60 {
      let noise = Double((node * 7919 + 13) % 101) / 101
      let hint = Double(Self.group[node]) * 0.3 + 1 - noise
      rows.append("\(noise),\(hint),\((node * 31) % 17),\(names[Self.group[node]])")
    }
    try tool.write("u,v,w,class\n" + rows.joined(separator: "\n") + "\n", to: "graph/nodes.csv")
    var edges: [(Int, Int)] = []
    for node in 0..<59 {
      for step in [3, 6, 12] where node + step < 59 { edges.append((node, node + step)) }
      if node % 10 == 0 { edges.append((node, (node + 1) % 59)) }
    }
    try tool.write(edges.map { "\($0.0),\($0.1)\n" }.joined(), to: "graph/edges.csv")
    try tool.write(Self.sets.joined(separator: "\n") + "\n", to: "graph/split.txt")
    try tool.write(
      """
      name: graph
      model: {layers: \(layers)}
      data: {format: graph, path: graph, split: given, scale: length}
      training: {epochs: 60, batch: 1, shards: 1}
      optimizer: {name: adam, learning-rate: 0.05}

      """, to: "a.yaml")
    return tool
  }

  @Test("loss and accuracy are over the nodes of the set alone; validation is the graph's own")
  func metrics() throws {
    let tool = try folder()
    let trained = try tool.run("train", "a.yaml", "--json", "--run", "run", "--quiet")
    trained.expectSuccess()
    #expect(trained.json["steps"] as? Int == 60)
    let evaluated = try tool.run("evaluate", "run", "--json")
    #expect(evaluated.json["accuracy"] as? Double == trained.json["accuracy"] as? Double)
    #expect(evaluated.json["loss"] as? Double == trained.json["loss"] as? Double)

    let own = "{format: graph, path: graph, split: given, scale: length}"
    try tool.run("predict", "run", "--data", own, "-o", "classes.npy", "--classes").expectSuccess()
    try tool.run("predict", "run", "--data", own, "-o", "logits.npy").expectSuccess()
    let bytes = try tool.data("classes.npy").suffix(60 * 8)
    let classes = stride(from: 0, to: 480, by: 8).map { Int(bytes[bytes.startIndex + $0]) }
    let tested = Self.sets.indices.filter { Self.sets[$0] == "test" }
    let right = tested.count { classes[$0] == Self.group[$0] }
    #expect(trained.json["accuracy"] as? Double == Double(right) / Double(tested.count))
    let logits = try tool.data("logits.npy").suffix(60 * 12).withUnsafeBytes { bytes in
      (0..<180).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
    }
    let losses = tested.map { node -> Double in
      let row = Array(logits[3 * node..<3 * node + 3])
      let total = row.reduce(0.0) { $0 + exp($1) }
      return log(total) - row[Self.group[node]]
    }
    let loss = try #require(trained.json["loss"] as? Double)
    #expect(abs(losses.reduce(0, +) / Double(losses.count) - loss) < 1e-5)

    let lines = try tool.text("run/metrics.jsonl").split(separator: "\n")
    let records = lines.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
    #expect(records.contains { $0["set"] as? String == "validation" })
    // Of twelve nodes that train, as twelfths.
    let accuracies = records.filter { $0["set"] == nil }.compactMap { $0["accuracy"] as? Double }
    #expect(accuracies.count == 60)
    let falling = records.filter { $0["set"] == nil }.compactMap { $0["loss"] as? Double }
    let (first, last) = (try #require(falling.first), try #require(falling.last))
    #expect(last < first)
    for accuracy in accuracies {
      let right = accuracy * 12
      #expect(right <= 12 && abs(right.rounded() - right) < 1e-4)
    }
  }

  @Test("alone, simulated, and resumed from the middle they come to the same bits")
  func sameBits() throws {
    let tool = try folder(layers: "[dropout, {graph-attention: {outputs: 4, heads: 2, dropout: 0.4}}, relu, {sage: 3}]")
    let whole = try tool.run("train", "a.yaml", "--json", "--quiet", "--set", "compute.threads=2")
    whole.expectSuccess()
    #expect(try tool.run("simulate", "a.yaml", "--json", "--quiet").digest == whole.digest)
    let step = "checkpoint={every: 20 steps, keep: 9}"
    try tool.run("train", "a.yaml", "--quiet", "--run", "run", "--set", step).expectSuccess()
    for name in ["step-40", "step-60"] {
      try? FileManager.default.removeItem(atPath: tool.path("run/checkpoints/\(name)"))
    }
    try? FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    let resumed = try tool.run("train", "a.yaml", "--json", "--quiet", "--run", "run", "--resume", "--set", step)
    #expect(resumed.digest == whole.digest)
  }

  @Test(
    "the gradients of every graph layer are right",
    arguments: [
      "[{graph-convolution: 5}, tanh, {graph-convolution: {outputs: 3, normalise: false}}]",
      "[l2-norm, {sage: 5}, tanh, l2-norm, {sage: {outputs: 3, bias: false}}]",
      "[{graph-attention: {outputs: 3, heads: 2}}, tanh, {graph-attention: {outputs: 3, heads: 4, concatenate: false}}]",
    ])
  func gradients(_ layers: String) throws {
    let result = try folder(layers: layers).run("check", "a.yaml", "--json")
    result.expectSuccess()
    #expect(result.json["gradients_right"] as? Bool == true, "\(result.json["worst_gradient"] ?? "")")
  }

  @Test("early stopping decides by the graph's own validation set")
  func early() throws {
    let tool = try folder()
    let result = try tool.run("train", "a.yaml", "--json", "--quiet", "--set", "training.early-stop=3")
    result.expectSuccess()
    #expect(try #require(result.json["steps"] as? Int) < 60)
  }

  @Test("bench takes random features on the same edges")
  func bench() throws {
    let result = try folder().run("bench", "step", "--config", "a.yaml", "--batch", "1", "--seconds", "0.1")
    result.expectSuccess()
  }

  @Test("bad graphs are exit 4, graph layers without a graph exit 3, and more ranks than graphs too")
  func refusals() throws {
    let tool = try folder()
    try tool.write("0,1\n3,60\n", to: "graph/edges.csv")
    try expectRefusal(tool, ["train", "a.yaml"], 4, ["graph/edges.csv:2", "node 60", "60 nodes"])
    try tool.write("0,1\n3\n", to: "graph/edges.csv")
    try expectRefusal(tool, ["train", "a.yaml"], 4, ["graph/edges.csv:2", "1 fields"])
    let good = try folder()
    try expectRefusal(good, ["train", "a.yaml", "--set", "data.validation=0.1"], 3, ["validation set of its own"])
    try expectRefusal(good, ["train", "a.yaml", "--set", "data=digits"], 3, ["graph-convolution", "without a graph"])
    try expectRefusal(
      good, ["train", "a.yaml", "--set", "model.layers=[{linear: 4}, flatten, {sage: 3}]"], 3,
      ["model.layers.2", "sage", "without a graph"])
    try expectRefusal(
      good, ["train", "a.yaml", "--set", "model.layers=[{sage: 4}]"], 3, ["60×4", "60×3", "3 classes"])
    try expectRefusal(good, ["simulate", "a.yaml", "--ranks", "2"], 3, ["2 ranks", "training.shards: 1"])
    try expectRefusal(
      good, ["train", "a.yaml", "--set", "training.batch=4", "--set", "training.shards=2"], 3, ["1 training samples"])
    try expectRefusal(good, ["train", "a.yaml", "--set", "data=cora"], 4, ["cora", "launch/planetoid-texts"])
  }
}
