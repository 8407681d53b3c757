// Fixed weights of edges, one Float32 an edge in the order of their numbers.
extension Graph {
  /// 1 / √(degree of the target · degree of the source), degrees being those of incoming edges: with loops, the
  /// D^−½ (A + I) D^−½ of Kipf and Welling (2017).  An edge from a node that hears nobody weighs 0, as in PyTorch Geometric.
  public func symmetricWeights() -> Storage {
    weights { source, target in
      let product = Double(incoming.degree(source) * incoming.degree(target))
      return product > 0 ? Float(1 / product.squareRoot()) : 0
    }
  }

  /// 1 / degree of the target: the mean over whom a node hears.
  public func meanWeights() -> Storage { weights { _, target in 1 / Float(incoming.degree(target)) } }

  /// 1 for every edge: the sum over whom a node hears.
  public func unitWeights() -> Storage { weights { _, _ in 1 } }

  private func weights(_ weight: (_ source: Int, _ target: Int) -> Float) -> Storage {
    let storage = Storage(zeros: edgeCount)
    for (index, edge) in edges.enumerated() { storage.base[index] = weight(Int(edge.source), Int(edge.target)) }
    return storage
  }
}
