/// Sorts the columns of a tile by compare-exchanges of whole rows: no branch depends on a value, so that 16 columns go at once.
///
/// Batcher's merge exchange for any number of rows (1968; Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M):
/// about m log²m / 4 exchanges.
struct SortingNetwork: Sendable {
  /// Rows.
  let count: Int
  private let exchanges: [(Int32, Int32)]

  init(count: Int) {
    self.count = count
    var exchanges: [(Int32, Int32)] = []
    var top = 1
    while 2 * top < count { top *= 2 }
    var p = count < 2 ? 0 : top
    while p > 0 {
      var (q, r, d) = (top, 0, p)
      while true {
        for i in 0..<max(0, count - d) where i & p == r { exchanges.append((Int32(i), Int32(i + d))) }
        if q == p { break }
        (d, q, r) = (q - p, q / 2, p)
      }
      p /= 2
    }
    self.exchanges = exchanges
  }

  /// Sorts each column of `[count, lanes]`, least first.
  @inline(never)
  func sort(_ tile: UnsafeMutablePointer<Float>) {
    for (i, j) in exchanges {
      let low = tile + Int(i) &* RobustScratch.lanes
      let high = tile + Int(j) &* RobustScratch.lanes
      var k = 0
      while k < RobustScratch.lanes {
        let (a, b) = (low[k], high[k])
        low[k] = a < b ? a : b
        high[k] = a < b ? b : a
        k &+= 1
      }
    }
  }
}

extension RobustScratch {
  /// Calls `body` with tiles of sorted columns: rows by rank, the first coordinate, how many, and the worker.  Of all clients
  /// unless `rows` says which, `count` of them.
  func sortedColumns(
    _ set: UpdateSet, _ workers: Workers, rows: UnsafePointer<Bool>? = nil, count rowCount: Int? = nil,
    _ body: @Sendable (UnsafeMutablePointer<Float>, _ first: Int, _ count: Int, _ worker: Int) -> Void
  ) {
    prepareColumns(set, workers, rows: rowCount ?? set.clients)
    nonisolated(unsafe) let rows = rows
    workers.run { worker in
      let tile = tile(worker)
      let part = workers.part(worker, of: set.count, grain: RobustScratch.lanes)
      for first in stride(from: part.lowerBound, to: part.upperBound, by: RobustScratch.lanes) {
        let count = min(RobustScratch.lanes, part.upperBound - first)
        var row = 0
        for client in 0..<set.clients where rows?[client] ?? true {
          let target = tile + row * RobustScratch.lanes
          target.update(from: set.updates[client] + first, count: count)
          (target + count).update(repeating: 0, count: RobustScratch.lanes - count)
          row += 1
        }
        network.sort(tile)
        body(tile, first, count, worker)
      }
    }
  }
}
