/// Softmax over the edges that end in a node, for each of `heads` heads.
enum EdgeScores {
  /// p[e, h] = e^(s(e) − max) / Σ over the edges of the target, where s(e) = leaky(source[j, h] + target[i, h]) for an edge
  /// from j to i, and leaky(x) is x, or slope · x below zero.
  @inline(never)
  static func softmax(
    _ rows: Graph.Rows, nodes: Int, edges: Int, _ source: UnsafePointer<Float>, _ target: UnsafePointer<Float>,
    slope: Float, into p: UnsafeMutablePointer<Float>, heads: Int
  ) {
    let (offsets, neighbours) = (rows.offsets, rows.neighbours)
    for node in 0..<nodes {
      let (first, last) = (Int(offsets[node]), Int(offsets[node &+ 1]))
      for head in 0..<heads {
        let own = target[node &* heads &+ head]
        var largest = -Float.infinity
        for e in first..<last {
          let score = leaky(source[Int(neighbours[e]) &* heads &+ head] + own, slope)
          p[e &* heads &+ head] = score
          largest = score > largest ? score : largest
        }
        for e in first..<last { p[e &* heads &+ head] -= largest }
      }
    }
    exponentials(p, edges &* heads)
    for node in 0..<nodes {
      let (first, last) = (Int(offsets[node]), Int(offsets[node &+ 1]))
      for head in 0..<heads {
        var total: Float = 0
        for e in first..<last { total += p[e &* heads &+ head] }
        for e in first..<last { p[e &* heads &+ head] /= total }
      }
    }
  }

  /// The gradients of what `softmax` read, from those of what it made; `scores` takes those of the sums in between,
  /// `[edges, heads]`.
  @inline(never)
  static func softmaxGradient(
    _ graph: Graph, _ dp: UnsafePointer<Float>, _ p: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
    _ target: UnsafePointer<Float>, slope: Float, scores: UnsafeMutablePointer<Float>,
    intoSource dsource: UnsafeMutablePointer<Float>, intoTarget dtarget: UnsafeMutablePointer<Float>, heads: Int
  ) {
    let (rows, reverse) = (graph.incoming, graph.outgoing)
    for node in 0..<graph.nodes {
      let (first, last) = (Int(rows.offsets[node]), Int(rows.offsets[node &+ 1]))
      for head in 0..<heads {
        let own = target[node &* heads &+ head]
        var product: Float = 0
        for e in first..<last { product += p[e &* heads &+ head] * dp[e &* heads &+ head] }
        var total: Float = 0
        for e in first..<last {
          let sum = source[Int(rows.neighbours[e]) &* heads &+ head] + own
          let place = e &* heads &+ head
          let gradient = p[place] * (dp[place] - product) * (sum > 0 ? 1 : slope)
          scores[place] = gradient
          total += gradient
        }
        dtarget[node &* heads &+ head] = total
      }
    }
    for node in 0..<graph.nodes {
      for head in 0..<heads {
        var total: Float = 0
        for k in Int(reverse.offsets[node])..<Int(reverse.offsets[node &+ 1]) {
          total += scores[Int(reverse.edges[k]) &* heads &+ head]
        }
        dsource[node &* heads &+ head] = total
      }
    }
  }

  @inline(__always)
  private static func leaky(_ x: Float, _ slope: Float) -> Float { x > 0 ? x : slope * x }

  private static func exponentials(_ x: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      x[i] = Elementary.exp(x[i])
      i &+= 1
    }
  }
}
