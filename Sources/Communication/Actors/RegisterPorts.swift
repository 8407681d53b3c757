/// What a consumer knows of the registers it reads. Used by one thread, or under its owner's lock.
final class InputPort {
  let descriptor: RegisterDescriptor
  /// Registers that were filled and not read, in order.
  let ready: FixedQueue<Int>
  /// Whether the producer said that nothing follows.
  var hasEnded = false

  init(_ descriptor: RegisterDescriptor) {
    self.descriptor = descriptor
    ready = FixedQueue(capacity: descriptor.count)
  }

  /// Whether nothing is left to read, now or later.
  var isExhausted: Bool { hasEnded && ready.isEmpty }
}

/// What a producer knows of the registers it fills. Used by one thread, or under its owner's lock.
final class OutputPort {
  let descriptor: RegisterDescriptor
  /// Registers that nobody reads.
  let free: FixedQueue<Int>
  /// Registers that somebody has yet to acknowledge.
  private(set) var outstanding = 0
  /// Consumers that still read.
  private(set) var interested: Int
  /// For each register, the consumers that have yet to acknowledge it.
  private let readers: UnsafeMutablePointer<Int>

  init(_ descriptor: RegisterDescriptor) {
    self.descriptor = descriptor
    free = FixedQueue(capacity: descriptor.count)
    for register in 0..<descriptor.count { free.append(register) }
    readers = .allocate(capacity: descriptor.count)
    readers.initialize(repeating: 0, count: descriptor.count)
    interested = 0
  }

  deinit { readers.deallocate() }

  /// Counts the consumers, when all are known.
  func begin() { interested = descriptor.consumerCount }

  /// Takes the first free register for its readers; its owner announces it afterwards.
  func lend() -> Int {
    let register = free.removeFirst()
    readers[register] = descriptor.consumerCount
    outstanding += 1
    return register
  }

  /// One consumer has read a register: after the last it is free.
  func acknowledge(_ register: Int) {
    precondition(readers[register] > 0, "register \(register) was acknowledged too often")
    readers[register] -= 1
    guard readers[register] == 0 else { return }
    outstanding -= 1
    free.append(register)
  }

  /// One consumer reads no more.
  func loseInterest() { interested -= 1 }
}
