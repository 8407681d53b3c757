/// Registers of one kind: blocks of bytes that one producer fills and k consumers read, each in the producer's order.
///
/// Their number is the producer's credit: 1 makes producer and consumers strictly take turns, 2 or more let the producer
/// work ahead. A register is filled again once every consumer has acknowledged it. Memory: `count · byteCount` bytes, on
/// cache lines, zero at first; registers of no bytes only order, or stand by their number for something else.
///
/// `@unchecked Sendable`: links are made before threads start; each register's bytes are handed from thread to thread by
/// messages.
public final class RegisterDescriptor: @unchecked Sendable {
  /// Registers there are, at least 1.
  public let count: Int
  /// Bytes of each.
  public let byteCount: Int

  private let memory: UnsafeMutableRawPointer
  private let stride: Int
  private let filled: UnsafeMutablePointer<Int>
  private var producer: Link?
  private var consumers: [Link] = []

  /// One side of the registers. Everything is owned by the graph, which ends all threads before it dies.
  private struct Link {
    unowned let recipient: any ActorRecipient
    let port: Int
  }

  init(count: Int, byteCount: Int) {
    precondition(count > 0 && byteCount >= 0, "\(count) registers of \(byteCount) bytes")
    self.count = count
    self.byteCount = byteCount
    stride = (byteCount + 63) / 64 * 64
    memory = .allocate(byteCount: max(count * stride, 1), alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: count * stride)
    filled = .allocate(capacity: count)
    filled.initialize(repeating: 0, count: count)
  }

  deinit {
    memory.deallocate()
    filled.deallocate()
  }

  // MARK: Links

  func connect(producer: any ActorRecipient, port: Int) {
    precondition(self.producer == nil, "registers with two producers")
    self.producer = Link(recipient: producer, port: port)
  }

  func connect(consumer: any ActorRecipient, port: Int) {
    consumers.append(Link(recipient: consumer, port: port))
  }

  var consumerCount: Int { consumers.count }
  var isConnected: Bool { producer != nil && !consumers.isEmpty }

  /// Tells every consumer.
  func announce(_ kind: ActorMessage.Kind, register: Int = 0) {
    for consumer in consumers {
      consumer.recipient.deliver(ActorMessage(kind: kind, port: consumer.port, register: register))
    }
  }

  /// Tells the producer.
  func answer(_ kind: ActorMessage.Kind, register: Int = 0) {
    guard let producer else { return }
    producer.recipient.deliver(ActorMessage(kind: kind, port: producer.port, register: register))
  }

  // MARK: Bytes

  /// The whole register, for its producer.
  func room(_ register: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memory + register * stride, count: byteCount)
  }

  /// What its producer filled, for consumers.
  func contents(_ register: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: memory + register * stride, count: filled[register])
  }

  func setFilled(_ register: Int, _ bytes: Int) {
    precondition((0...byteCount).contains(bytes), "\(bytes) bytes in a register of \(byteCount)")
    filled[register] = bytes
  }
}
