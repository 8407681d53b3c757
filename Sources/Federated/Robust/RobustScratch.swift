/// Memory of robust rules, kept from round to round; grows when a larger cohort or more workers come.
///
/// `@unchecked Sendable`: each worker writes its own tile, its own rows and its own coordinates.
public final class RobustScratch: @unchecked Sendable {
  /// Coordinates that are sorted at once.
  static let lanes = 64

  private(set) var network = SortingNetwork(count: 0)
  private(set) var distances = UnsafeMutableBufferPointer<Double>.allocate(capacity: 0)
  private(set) var nearest = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 0)
  private(set) var scores = UnsafeMutableBufferPointer<Double>.allocate(capacity: 0)
  private(set) var chosen = UnsafeMutableBufferPointer<Bool>.allocate(capacity: 0)
  private(set) var centre = UnsafeMutableBufferPointer<Double>.allocate(capacity: 0)
  private(set) var sums = UnsafeMutableBufferPointer<Int64>.allocate(capacity: 0)
  private var tiles = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)
  private var clients = 0

  /// No memory yet.
  public init() {}

  deinit {
    distances.deallocate()
    nearest.deallocate()
    scores.deallocate()
    chosen.deallocate()
    centre.deallocate()
    sums.deallocate()
    tiles.deallocate()
  }

  /// Room for a tile of every worker, and the network that sorts `rows` of them.
  func prepareColumns(_ set: UpdateSet, _ workers: Workers, rows: Int) {
    if network.count != rows { network = SortingNetwork(count: rows) }
    clients = set.clients
    grow(&tiles, workers.count * set.clients * RobustScratch.lanes, 0)
    grow(&sums, workers.count * RobustScratch.lanes, 0)
  }

  /// Room for all pairs of clients.
  func preparePairs(_ set: UpdateSet) {
    grow(&distances, set.clients * set.clients, 0)
    grow(&nearest, set.clients * set.clients, 0)
    grow(&scores, set.clients, 0)
    grow(&chosen, set.clients, false)
  }

  /// Room for a point in Float64, and a number a client.
  func prepareCentre(_ set: UpdateSet) {
    grow(&centre, set.count, 0)
    grow(&scores, set.clients, 0)
  }

  /// Worker `worker`'s tile: `[clients, lanes]`.
  func tile(_ worker: Int) -> UnsafeMutablePointer<Float> {
    (tiles.baseAddress.unsafelyUnwrapped) + worker * clients * RobustScratch.lanes
  }

  /// Worker `worker`'s integers, `lanes` of them.
  func laneSums(_ worker: Int) -> UnsafeMutablePointer<Int64> {
    (sums.baseAddress.unsafelyUnwrapped) + worker * RobustScratch.lanes
  }

  private func grow<Element: BitwiseCopyable>(
    _ buffer: inout UnsafeMutableBufferPointer<Element>, _ count: Int, _ value: Element
  ) {
    if buffer.count >= count { return }
    buffer.deallocate()
    buffer = .allocate(capacity: count)
    buffer.initialize(repeating: value)
  }
}
