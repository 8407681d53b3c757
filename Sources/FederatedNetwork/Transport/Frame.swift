import CZeroMQ

/// One frame of a message, as ZeroMQ holds it.
final class Frame {
  /// ZeroMQ keeps short contents inside of this, so that it must not move.
  let message = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)

  /// An empty frame, to be received into.
  init() { zmq_msg_init(message) }

  private init(count: Int) {
    precondition(zmq_msg_init_size(message, count) == 0, "no memory for a message of \(count) bytes")
  }

  /// A copy of some bytes.
  convenience init(_ bytes: UnsafeRawBufferPointer) {
    self.init(count: bytes.count)
    if let base = bytes.baseAddress, bytes.count > 0 {
      zmq_msg_data(message)?.copyMemory(from: base, byteCount: bytes.count)
    }
  }

  /// A copy of some bytes.
  convenience init(copying bytes: [UInt8]) {
    self.init(count: bytes.count)
    bytes.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress, bytes.count > 0 {
        zmq_msg_data(message)?.copyMemory(from: base, byteCount: bytes.count)
      }
    }
  }

  /// A text.
  static func text(_ text: String) -> Frame { Frame(copying: Array(text.utf8)) }

  /// Bytes that are not copied: `owner` lives until they have been sent.
  init(_ bytes: UnsafeRawBufferPointer, of owner: AnyObject) {
    let held = Unmanaged.passRetained(owner)
    let status = zmq_msg_init_data(
      message, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count,
      { _, hint in if let hint { Unmanaged<AnyObject>.fromOpaque(hint).release() } }, held.toOpaque())
    precondition(status == 0, "no memory for a message")
  }

  deinit {
    zmq_msg_close(message)
    message.deallocate()
  }

  /// What it holds, as long as it lives: to be read where a parameter or `withExtendedLifetime` keeps it.
  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
  }

  /// What ZeroMQ knows of the connection that it came by; nil where it knows nothing.
  func property(_ name: String) -> String? { zmq_msg_gets(message, name).map { String(cString: $0) } }
}
