/// Sums and products of rows of features along the edges of a graph.  Rows hold `heads` parts of `width` scalars.
enum Neighbours {
  /// y[i, h, c] = Σ w[e, h] x[j, h, c] over the edges e of row i and their other ends j, in order.
  @inline(never)
  static func sum(
    _ rows: Graph.Rows, nodes: Int, _ x: UnsafePointer<Float>, weights: UnsafePointer<Float>,
    into y: UnsafeMutablePointer<Float>, heads: Int, width: Int
  ) {
    let (offsets, neighbours, edges) = (rows.offsets, rows.neighbours, rows.edges)
    let stride = heads &* width
    for node in 0..<nodes {
      let target = y + node &* stride
      target.update(repeating: 0, count: stride)
      for k in Int(offsets[node])..<Int(offsets[node &+ 1]) {
        let source = x + Int(neighbours[k]) &* stride
        let weight = weights + Int(edges[k]) &* heads
        for head in 0..<heads {
          add(weight[head], times: source + head &* width, to: target + head &* width, width)
        }
      }
    }
  }

  /// y[e, h] = Σ_c a[i, h, c] x[j, h, c] for the edges e of row i and their other ends j.
  @inline(never)
  static func products(
    _ rows: Graph.Rows, nodes: Int, _ a: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    into y: UnsafeMutablePointer<Float>, heads: Int, width: Int
  ) {
    let (offsets, neighbours, edges) = (rows.offsets, rows.neighbours, rows.edges)
    let stride = heads &* width
    for node in 0..<nodes {
      for k in Int(offsets[node])..<Int(offsets[node &+ 1]) {
        let source = x + Int(neighbours[k]) &* stride
        let target = y + Int(edges[k]) &* heads
        for head in 0..<heads {
          target[head] = dot(a + (node &* stride &+ head &* width), source + head &* width, width)
        }
      }
    }
  }

  /// y += factor · x.
  @inline(__always)
  static func add(
    _ factor: Float, times x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      y[i] += factor * x[i]
      i &+= 1
    }
  }

  /// Σ xᵢ yᵢ in Float32, for short rows.
  @inline(__always)
  static func dot(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Float {
    let (left, right) = (UnsafeRawPointer(x), UnsafeRawPointer(y))
    var lanes = SIMD8<Float>.zero
    var i = 0
    while i &+ 8 <= count {
      lanes +=
        left.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self)
        * right.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self)
      i &+= 8
    }
    var total = lanes.total
    while i < count {
      total += x[i] * y[i]
      i &+= 1
    }
    return total
  }
}
