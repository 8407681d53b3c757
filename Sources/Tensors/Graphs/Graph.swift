/// Nodes and the directed edges between them: a constant of a model, which data bring.
///
/// No edge is there twice, and no node is its own neighbour (see ``withLoops()``).  Edges are numbered in order of their
/// targets, then of their sources.  Two graphs are the same if they are one object.
///
/// `@unchecked Sendable`: the memory is written by `init` alone.
public final class Graph: @unchecked Sendable {
  /// A message's way: the target hears the source.
  public struct Edge: Hashable, Sendable {
    /// The node that is heard.
    public let source: Int32
    /// The node that hears.
    public let target: Int32

    /// An edge between two nodes.
    public init(from source: Int32, to target: Int32) {
      self.source = source
      self.target = target
    }
  }

  /// The edges in compressed rows, one row for each node of one end.  Valid as long as the graph.
  public struct Rows: @unchecked Sendable {
    /// Where each node's row begins, and where the last one ends: `nodes + 1` numbers.
    public let offsets: UnsafePointer<Int32>
    /// The nodes at the other ends, row after row, ascending in each.
    public let neighbours: UnsafePointer<Int32>
    /// The numbers of these edges.
    public let edges: UnsafePointer<Int32>

    /// Edges of a node.
    public func degree(_ node: Int) -> Int { Int(offsets[node + 1] - offsets[node]) }
  }

  /// Nodes, numbered from 0.
  public let nodes: Int
  /// Edges, numbered from 0.
  public let edgeCount: Int
  /// For each node whom it hears: what layers sum over.
  public let incoming: Rows
  /// For each node who hears it: what gradients sum over.
  public let outgoing: Rows
  private let memory: UnsafeMutablePointer<Int32>

  /// Edges between so many nodes; what is there twice counts once, and a node's edge to itself not at all.
  ///
  /// Precondition: every end is in 0..<nodes.
  public convenience init(nodes: Int, edges: [Edge]) {
    self.init(nodes: nodes, ordered: Graph.ordered(Set(edges.filter { $0.source != $0.target })))
  }

  private static func ordered(_ edges: some Sequence<Edge>) -> [Edge] {
    edges.sorted { ($0.target, $0.source) < ($1.target, $1.source) }
  }

  private init(nodes: Int, ordered edges: [Edge]) {
    precondition(nodes >= 0 && nodes <= Int(Int32.max), "a graph of \(nodes) nodes")
    precondition(edges.count <= Int(Int32.max), "a graph of \(edges.count) edges")
    precondition(
      edges.allSatisfy { (0..<nodes).contains(Int($0.source)) && (0..<nodes).contains(Int($0.target)) },
      "an edge of a node outside 0..<\(nodes)")
    self.nodes = nodes
    edgeCount = edges.count
    memory = .allocate(capacity: 2 * (nodes + 1) + 4 * edges.count)
    memory.initialize(repeating: 0, count: 2 * (nodes + 1) + 4 * edges.count)
    incoming = Graph.rows(edges.map(\.target), edges.map(\.source), nodes, memory)
    outgoing = Graph.rows(
      edges.map(\.source), edges.map(\.target), nodes, memory + (nodes + 1) + 2 * edges.count)
  }

  deinit { memory.deallocate() }

  /// Sorts edges by one end, those of a node in the order of their numbers.
  private static func rows(
    _ ends: [Int32], _ others: [Int32], _ nodes: Int, _ memory: UnsafeMutablePointer<Int32>
  ) -> Rows {
    let (offsets, neighbours) = (memory, memory + nodes + 1)
    let edges = neighbours + ends.count
    for end in ends { offsets[Int(end) + 1] += 1 }
    for node in 0..<nodes { offsets[node + 1] += offsets[node] }
    var next = (0..<nodes).map { offsets[$0] }
    for (edge, end) in ends.enumerated() {
      let place = Int(next[Int(end)])
      neighbours[place] = others[edge]
      edges[place] = Int32(edge)
      next[Int(end)] += 1
    }
    return Rows(offsets: offsets, neighbours: neighbours, edges: edges)
  }

  /// All edges in the order of their numbers.
  public var edges: [Edge] {
    (0..<nodes).flatMap { node in
      (Int(incoming.offsets[node])..<Int(incoming.offsets[node + 1])).map {
        Edge(from: incoming.neighbours[$0], to: Int32(node))
      }
    }
  }

  /// The same graph in which every node hears itself too; its edges are numbered anew.
  public func withLoops() -> Graph {
    let loops = (0..<Int32(nodes)).map { Edge(from: $0, to: $0) }
    return Graph(nodes: nodes, ordered: Graph.ordered(Set(edges + loops)))
  }
}

extension Graph: Hashable {
  /// Whether both are one object.
  public static func == (left: Graph, right: Graph) -> Bool { left === right }

  /// Feeds who it is.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
