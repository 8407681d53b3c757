import Tensors

extension RobustScratch {
  /// ‖x_i − x_j‖² of all pairs, Float64 over blocks of 4,096 coordinates, and for each client the others by distance,
  /// ties in client order.  Cost: m²/2 passes over an update; workers share the pairs.
  func measurePairs(_ set: UpdateSet, _ workers: Workers) {
    preparePairs(set)
    let clients = set.clients
    workers.run { worker in
      let distances = distances
      var pair = 0
      for i in 0..<clients {
        distances[i * clients + i] = 0
        for j in (i + 1)..<max(i + 1, clients) {
          if pair % workers.count == worker {
            let distance = PairDistances.squared(set.updates[i], set.updates[j], set.count)
            distances[i * clients + j] = distance
            distances[j * clients + i] = distance
          }
          pair += 1
        }
      }
    }
    workers.run { worker in
      for client in stride(from: worker, to: clients, by: workers.count) {
        PairDistances.order(
          UnsafeMutableBufferPointer(rebasing: nearest[client * clients..<(client + 1) * clients]),
          by: UnsafeBufferPointer(rebasing: distances[client * clients..<(client + 1) * clients]))
      }
    }
  }

  /// Krum's choice among the clients that are not yet chosen: the least sum of squared distances to the nearest `neighbours`
  /// other clients that are not; ties in client order.
  func krum(_ clients: Int, neighbours: Int) -> Int {
    var best = -1
    var least = Double.infinity
    for client in 0..<clients where !chosen[client] {
      let score = score(client, clients, neighbours: neighbours)
      if best < 0 || score < least { (best, least) = (client, score) }
    }
    return best
  }

  /// The sum of squared distances to the nearest `neighbours` other clients that are not chosen.
  func score(_ client: Int, _ clients: Int, neighbours: Int) -> Double {
    var (sum, left, place) = (0.0, neighbours, 0)
    while left > 0, place < clients {
      let other = Int(nearest[client * clients + place])
      if other != client, !chosen[other] {
        sum += distances[client * clients + other]
        left -= 1
      }
      place += 1
    }
    return sum
  }
}

/// Distances of pairs of vectors, and their order.
enum PairDistances {
  /// Σ (x − y)².
  static func squared(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Double {
    var total = 0.0
    var first = 0
    while first < count {
      total += block(x + first, y + first, min(Reductions.block, count &- first))
      first &+= Reductions.block
    }
    return total
  }

  @inline(never)
  private static func block(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Double {
    let (left, right) = (UnsafeRawPointer(x), UnsafeRawPointer(y))
    var sums = SIMD8<Double>.zero
    var i = 0
    while i &+ 8 <= count {
      let difference =
        SIMD8<Double>(left.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self))
        - SIMD8<Double>(right.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self))
      sums += difference * difference
      i &+= 8
    }
    var total = sums.sum()
    while i < count {
      let difference = Double(x[i]) - Double(y[i])
      total += difference * difference
      i &+= 1
    }
    return total
  }

  /// The places of `keys`, least key first, equal keys by place: heapsort, which needs no memory.
  static func order(_ places: UnsafeMutableBufferPointer<Int32>, by keys: UnsafeBufferPointer<Double>) {
    func precedes(_ a: Int32, _ b: Int32) -> Bool {
      let (x, y) = (keys[Int(a)], keys[Int(b)])
      return x < y || (x == y && a < b)
    }
    func sink(_ start: Int, _ end: Int) {
      var parent = start
      while 2 * parent + 1 < end {
        var child = 2 * parent + 1
        if child + 1 < end, precedes(places[child], places[child + 1]) { child += 1 }
        if !precedes(places[parent], places[child]) { return }
        places.swapAt(parent, child)
        parent = child
      }
    }
    for place in places.indices { places[place] = Int32(place) }
    for start in stride(from: places.count / 2 - 1, through: 0, by: -1) { sink(start, places.count) }
    for end in stride(from: places.count - 1, to: 0, by: -1) {
      places.swapAt(0, end)
      sink(0, end)
    }
  }
}
