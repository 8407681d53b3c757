import Strategies

/// What the vectors of all workers are after each step, straight from the papers' equations, with sums in the order of the
/// tree.  Written without looking at the strategies.
enum ReplicaReference {
  typealias Vector = [Float]

  static func mean(_ vectors: [Vector]) -> Vector { treeSum(vectors[...]).map { $0 / Float(vectors.count) } }

  /// One worker's step by its own gradient at `point`, from `origin`; none without samples.
  private static func alone(_ step: Int, _ shard: Int, of shards: Int, at point: Vector, from origin: Vector) -> Vector
  {
    if ReplicaTrial.samples(step, shard, of: shards) == 0 { return origin }
    let gradient = ReplicaTrial.gradient(step, shard, of: shards, at: point[..<ReplicaTrial.weights])
    return ReplicaTrial.moved(origin, by: gradient)
  }

  private static func history(
    _ shards: Int, _ steps: Int, _ body: (_ step: Int, _ x: inout [Vector]) -> Void
  ) -> [[Vector]] {
    var x = [Vector](repeating: ReplicaTrial.beginning(), count: shards)
    return (0..<steps).map { step in
      body(step, &x)
      return x
    }
  }

  static func localSGD(_ shards: Int, _ steps: Int, period: Int) -> [[Vector]] {
    history(shards, steps) { step, x in
      x = x.indices.map { alone(step, $0, of: shards, at: x[$0], from: x[$0]) }
      if (step + 1) % period == 0 { x = x.map { [x] _ in mean(x) } }
    }
  }

  /// All move by one gradient until `start`.
  static func postLocalSGD(_ shards: Int, _ steps: Int, start: Int, period: Int) -> [[Vector]] {
    history(shards, steps) { step, x in
      if step < start {
        let parts = x.indices.map { shard in
          let share = ReplicaTrial.share(step, shard, of: shards)
          return ReplicaTrial.gradient(step, shard, of: shards, at: x[shard][..<ReplicaTrial.weights])
            .map { share * $0 }
        }
        let gradient = treeSum(parts[...])
        x = x.map { ReplicaTrial.moved($0, by: gradient) }
      } else {
        x = x.indices.map { alone(step, $0, of: shards, at: x[$0], from: x[$0]) }
        if (step - start) % period == period - 1 { x = x.map { [x] _ in mean(x) } }
      }
    }
  }

  /// Fragments as lists of scalars; a single one with everything is DiLoCo.
  static func diloco(
    _ shards: Int, _ steps: Int, interval: Int, fragments: [[Int]], delay: Int = 0, mixing: Float = 0,
    learningRate: Float = 0.7, momentum: Float = 0.9
  ) -> [[Vector]] {
    var global = ReplicaTrial.beginning()
    var u = Vector(repeating: 0, count: ReplicaTrial.weights)
    /// Means on their way, by turn.
    var travelling: [Int: Vector] = [:]
    return history(shards, steps) { step, x in
      x = x.indices.map { alone(step, $0, of: shards, at: x[$0], from: x[$0]) }
      let done = step + 1
      if (done + delay) % interval == 0 {
        let changes = x.map { vector in
          vector.indices.map { $0 < ReplicaTrial.weights ? global[$0] - vector[$0] : vector[$0] }
        }
        travelling[(done + delay) / interval] = mean(changes)
      }
      guard done % interval == 0, let delta = travelling.removeValue(forKey: done / interval) else { return }
      for i in fragments[(done / interval - 1) % fragments.count] {
        if i < ReplicaTrial.weights {
          u[i] = momentum * u[i] + delta[i]
          global[i] = global[i] - learningRate * (delta[i] + momentum * u[i])
        } else {
          global[i] = delta[i]
        }
        for worker in x.indices { x[worker][i] = (1 - mixing) * global[i] + mixing * x[worker][i] }
      }
    }
  }

  static func gossip(_ shards: Int, _ steps: Int) -> [[Vector]] {
    history(shards, steps) { step, x in
      let old = x
      x = old.indices.map { i in
        let mixed: Vector
        switch shards {
        case 1: mixed = old[0]
        case 2: mixed = old[i].indices.map { (old[i][$0] + old[1 - i][$0]) / 2 }
        default:
          let (left, right) = (old[(i + shards - 1) % shards], old[(i + 1) % shards])
          mixed = old[i].indices.map { (old[i][$0] + left[$0] + right[$0]) / 3 }
        }
        return alone(step, i, of: shards, at: old[i], from: mixed)
      }
    }
  }

  /// Vectors are z; `w` begins as given.
  static func pushGossip(_ shards: Int, _ steps: Int, w start: [Float]) -> (vectors: [[Vector]], w: [Float]) {
    var w = start
    var hops = [1]
    while hops[hops.count - 1] * 2 < shards { hops.append(hops[hops.count - 1] * 2) }
    let vectors = history(shards, steps) { step, z in
      var x = z.indices.map { i -> Vector in
        let biased = z[i].indices.map { $0 < ReplicaTrial.weights ? z[i][$0] * w[i] : z[i][$0] }
        let moved = alone(step, i, of: shards, at: z[i], from: biased)
        return moved.indices.map { $0 < ReplicaTrial.weights ? moved[$0] : moved[$0] * w[i] }
      }
      if shards > 1 {
        let (halves, halfW) = (x.map { $0.map { $0 / 2 } }, w.map { $0 / 2 })
        (x, w) = (halves, halfW)
        for i in z.indices {
          let peer = (i + hops[step % hops.count]) % shards
          x[peer] = zip(x[peer], halves[i]).map { $0 + $1 }
          w[peer] += halfW[i]
        }
      }
      z = zip(x, w).map { x, w in x.map { $0 / w } }
    }
    return (vectors, w)
  }
}
