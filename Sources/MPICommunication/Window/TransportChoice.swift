import Communication

/// For which sizes of a call shared memory is used, and for which messages: the same on every rank.
struct TransportChoice {
  /// Bytes of the largest call of each class, ascending; the last class has no end.
  static let limits = [1_024, 32_768, Int.max]
  /// By class.
  private var usesWindow = Array(repeating: true, count: limits.count)
  /// Whether there is nothing to choose.
  private(set) var isWindowAlways = true

  /// Bytes that stand for each class in a measurement.
  private static let samples = [4, 4_096, 262_144]
  private static let repetitions = 5

  /// Whether a call of so many bytes goes through shared memory.
  @inline(__always)
  func usesWindow(bytes: Int) -> Bool {
    var index = 0
    while bytes > TransportChoice.limits[index] { index += 1 }
    return usesWindow[index]
  }

  /// Messages for everything: what tests of them choose.
  static var messages: TransportChoice {
    var choice = TransportChoice()
    for index in limits.indices { choice.usesWindow[index] = false }
    choice.isWindowAlways = false
    return choice
  }

  /// Measures all-reduces of private values on both; messages are chosen where they are clearly faster for the slowest rank.
  /// Takes a few milliseconds. Collective.
  static func measured(
    window: WindowCommunicator, messages: MPICommunicator
  ) throws(CommunicationError) -> TransportChoice {
    var choice = TransportChoice()
    for (index, bytes) in samples.enumerated() {
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: bytes / MemoryLayout<Float>.stride)
      buffer.initialize(repeating: 0)
      defer { buffer.deallocate() }
      let throughWindow = try window.base.combined(try seconds(window, buffer), .maximum)
      let byMessages = try messages.combined(try seconds(messages, buffer), .maximum)
      choice.usesWindow[index] = throughWindow <= byMessages + byMessages / 4
    }
    choice.isWindowAlways = choice.usesWindow.allSatisfy { $0 }
    return choice
  }

  /// The shortest of some times, in nanoseconds.
  private static func seconds(
    _ communicator: any Communicator, _ buffer: UnsafeMutableBufferPointer<Float>
  ) throws(CommunicationError) -> Int64 {
    var shortest = Int64.max
    for _ in 0...repetitions {
      let began = monotonicNanoseconds()
      try communicator.allReduce(buffer, .sum)
      shortest = min(shortest, Int64(monotonicNanoseconds() - began))
    }
    return shortest
  }
}

extension Exchange {
  /// Bytes by which ranks decide alike how a call travels; nil where they cannot, because each knows another number.
  var commonBytes: Int? {
    switch kind {
    case .allReduce, .reduceScatter, .treeReduce: inputCount * type.stride
    case .broadcast, .allGather: outputCount * type.stride
    case .barrier: 0
    case .allToAll, .send, .receive: nil
    }
  }
}
