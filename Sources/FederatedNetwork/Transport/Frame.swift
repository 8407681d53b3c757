import CZeroMQ

/// One frame of a message, as ZeroMQ holds it.
final class Frame {
  /// ZeroMQ keeps short contents inside of this, so that it must not move.
  let message = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)

  /// An empty frame, to be received into.
  init() { zmq_msg_init(message) }

  /// A copy of some bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    precondition(zmq_msg_init_size(message, bytes.count) == 0, "no memory for a message of \(bytes.count) bytes")
    if let base = bytes.baseAddress, bytes.count > 0 {
      zmq_msg_data(message)?.copyMemory(from: base, byteCount: bytes.count)
    }
  }

  /// A text.
  static func text(_ text: String) -> Frame { Array(text.utf8).withUnsafeBytes { Frame($0) } }

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
