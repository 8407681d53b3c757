import Datasets
import Tensors

/// The classes of the nodes that train, and what others are taken for.
struct NodeClasses: Sendable {
  /// A class for each node that trains, −1 for all others.
  let known: [Int32]
  /// How many classes there are.
  let count: Int

  /// Reads the targets of a graph, the one sample of a set.
  init(_ data: any DataSource, classes: Int) {
    var known = [Int32](repeating: -1, count: data.targetShape.count)
    let input = UnsafeMutableRawPointer.allocate(byteCount: 4 * data.inputShape.count, alignment: 64)
    defer { input.deallocate() }
    known.withUnsafeMutableBytes { bytes in
      if let base = bytes.baseAddress { data.read(0, epoch: 0, into: input, targets: base) }
    }
    (self.known, count) = (known, classes)
  }

  /// All nodes that train are taken for the class so many after their own.
  func shifted(by distance: Int) -> [Int32] {
    known.map { $0 < 0 ? -1 : ($0 + Int32(distance)) % Int32(count) }
  }

  /// All nodes but those that train are taken for a class.
  func trying(_ label: Int) -> [Int32] { known.map { $0 < 0 ? Int32(label) : $0 } }

  /// Rows with a one in the place of the class, and of equal shares where there is none: `[nodes, classes]`.
  func rows(_ labels: [Int32]) -> [Float] {
    labels.flatMap { label in
      (0..<Int32(count)).map { label < 0 ? 1 / Float(count) : label == $0 ? 1 : 0 }
    }
  }

  /// The graph with a virtual node for each class at its end, which those nodes hear that are of its class, and it them.
  func extend(_ graph: Graph, by labels: [Int32]) -> Graph {
    let edges = labels.enumerated().filter { $0.element >= 0 }.flatMap { node, label in
      let virtual = Int32(graph.nodes) + label
      return [Graph.Edge(from: virtual, to: Int32(node)), Graph.Edge(from: Int32(node), to: virtual)]
    }
    return Graph(nodes: graph.nodes + count, edges: graph.edges + edges)
  }
}
