import Communication
import Synchronization

/// The windows from which this process gave out memory, and those of its peers.
///
/// There are few, one for each `allocate` that could not use an earlier segment again, so they are searched in order.
///
/// `@unchecked Sendable`: used by one thread at a time, but for `spare`, because memory may be let go of on any.
final class WindowArena: @unchecked Sendable {
  /// Windows by number, which is the same on every rank that takes part in one; nil where this process does not.
  private var windows: [Window?] = []
  /// Numbers of windows whose own segment nobody uses.
  private let spare = Mutex<[Int]>([])

  /// The most windows that places can tell apart.
  static let limit = 1 << 8

  private struct Window {
    let shared: SharedWindow
    /// Segments by place on the host; nil for processes without one.
    let segments: [UnsafeMutableRawPointer?]
    let own: UnsafeMutableRawPointer
  }

  /// Memory from a segment that every rank of a group sees; nil on every rank where it cannot be had. Collective.
  /// `places` are the ranks' places on the host.
  func allocate(
    byteCount: Int, _ group: MPICommunicator, places: [Int], board: HostBoard
  ) throws(CommunicationError) -> CommunicatorMemory? {
    var number = reusable(byteCount, places)
    if try group.combined(number == nil ? 0 : 1, .minimum) == 0 {
      if let unused = number { spare.withLock { $0.append(unused) } }
      number = Int(try group.combined(Int64(windows.count), .maximum))
      guard let fresh = number, fresh < WindowArena.limit,
        let shared = try SharedWindow.make(byteCount: max(byteCount, 1), group)
      else { return nil }
      var segments = [UnsafeMutableRawPointer?](repeating: nil, count: board.size)
      for (rank, place) in places.enumerated() { segments[place] = shared.segments[rank] }
      while windows.count < fresh { windows.append(nil) }
      windows.append(Window(shared: shared, segments: segments, own: shared.segments[group.rank]))
    } else if let number, let window = windows[number] {
      window.own.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    }
    guard let number, let window = windows[number] else { return nil }
    return CommunicatorMemory(base: window.own, byteCount: byteCount) { _ in
      self.spare.withLock { $0.append(number) }
    }
  }

  /// The smallest unused segment that is large enough and that all of a group see.
  private func reusable(_ byteCount: Int, _ places: [Int]) -> Int? {
    spare.withLock { numbers in
      var best: Int?
      for index in numbers.indices {
        guard let window = windows[numbers[index]], window.shared.byteCount >= byteCount,
          places.allSatisfy({ window.segments[$0] != nil })
        else { continue }
        if let best, let other = windows[numbers[best]], other.shared.byteCount <= window.shared.byteCount { continue }
        best = index
      }
      return best.map { numbers.remove(at: $0) }
    }
  }

  /// Where a block of this process lies, if all of `places` can see it.
  func place(of block: UnsafeRawPointer, bytes: Int, seenBy places: [Int]) -> SharedPlace? {
    for (number, window) in windows.enumerated() {
      guard let window, block >= UnsafeRawPointer(window.own),
        block + bytes <= UnsafeRawPointer(window.own + window.shared.byteCount)
      else { continue }
      for place in places where window.segments[place] == nil { return nil }
      return SharedPlace(window: number, offset: block - UnsafeRawPointer(window.own))
    }
    return nil
  }

  /// The address in this process of a block that the process at `owner` placed.
  func address(of place: SharedPlace, owner: Int) -> UnsafeMutableRawPointer {
    guard let segment = windows[place.window]?.segments[owner] else {
      preconditionFailure("window \(place.window) is not shared with this process")
    }
    return segment + place.offset
  }
}
