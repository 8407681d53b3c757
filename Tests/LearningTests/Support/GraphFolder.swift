import Foundation

/// Files of a graph of three communities, each node's class its community; removed in the end.
final class GraphFolder {
  let path = NSTemporaryDirectory() + "nndist-graph-" + UUID().uuidString
  /// Four features a node.
  let features: [[Double]]
  let classes: [Int]
  /// Pairs of nodes.
  let edges: [(Int, Int)]
  /// Nodes that train; the others test.
  let training: [Int]

  /// `nodes` in all, of which every other one trains.
  init(nodes: Int) throws {
    classes = (0..<nodes).map { $0 % 3 }
    features = (0..<nodes).map { node in
      (0..<4).map { (place: Int) -> Double in
        let noise = Double((node * 7 + place * 5) % 11) / 11
        return place == node % 3 ? noise + 0.75 : noise
      }
    }
    edges = (3..<nodes).map { ($0, $0 - 3) } + [(0, 1), (1, 2)]
    training = (0..<nodes).filter { $0 / 3 % 2 == 0 }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let rows = zip(features, classes).map { ($0.map { "\($0)" } + ["c\($1)"]).joined(separator: ",") }
    try write("nodes.csv", ["a,b,c,d,class"] + rows)
    try write("edges.csv", ["from,to"] + edges.map { "\($0),\($1)" })
    try write("split.txt", (0..<nodes).map { training.contains($0) ? "train" : "test" })
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  private func write(_ name: String, _ lines: [String]) throws {
    try (lines.joined(separator: "\n") + "\n").write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
  }

  /// Trains two convolutions on it.
  var yaml: String {
    """
    name: graph
    seed: 11
    model: {layers: [{graph-convolution: 8}, relu, {graph-convolution: 8}, relu, {linear: 3}]}
    data: {format: graph, path: \(path), split: given}
    training: {steps: 12, batch: 1, shards: 1, evaluate: 1000 steps}
    optimizer: {name: adam, learning-rate: 0.01}

    """
  }
}
