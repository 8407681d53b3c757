/// The memory of one end of a channel: messages on cache lines, and the small ones that come back.
///
/// It is freed by `free` alone. An end that died with requests under way, after an error, leaves it to them.
struct ChannelMemory {
  private let base: UnsafeMutableRawPointer
  private let answers: UnsafeMutableRawPointer
  private let stride: Int
  private let messageBytes: Int
  private static let answerBytes = MemoryLayout<RegisterChannel.Acknowledgement>.stride

  init(_ channel: RegisterChannel, messages: Int) {
    messageBytes = RegisterChannel.headerBytes + channel.byteCount
    stride = (messageBytes + 63) / 64 * 64
    base = .allocate(byteCount: messages * stride, alignment: 64)
    base.initializeMemory(as: UInt8.self, repeating: 0, count: messages * stride)
    let bytes = channel.count * ChannelMemory.answerBytes
    answers = .allocate(byteCount: bytes, alignment: 64)
    answers.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  }

  func free() {
    base.deallocate()
    answers.deallocate()
  }

  /// Header and register.
  func message(_ slot: Int) -> UnsafeMutableBufferPointer<UInt8> {
    UnsafeMutableBufferPointer(
      start: (base + slot * stride).assumingMemoryBound(to: UInt8.self), count: messageBytes)
  }

  /// The register alone.
  func payload(_ slot: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: base + slot * stride + RegisterChannel.headerBytes, count: messageBytes - RegisterChannel.headerBytes)
  }

  func header(_ slot: Int) -> RegisterChannel.Header { (base + slot * stride).load(as: RegisterChannel.Header.self) }

  func setHeader(_ slot: Int, _ header: RegisterChannel.Header) {
    (base + slot * stride).storeBytes(of: header, as: RegisterChannel.Header.self)
  }

  /// What comes back for a register.
  func answerMessage(_ slot: Int) -> UnsafeMutableBufferPointer<UInt8> {
    UnsafeMutableBufferPointer(
      start: (answers + slot * ChannelMemory.answerBytes).assumingMemoryBound(to: UInt8.self),
      count: ChannelMemory.answerBytes)
  }

  func answer(_ slot: Int) -> RegisterChannel.Acknowledgement {
    (answers + slot * ChannelMemory.answerBytes).load(as: RegisterChannel.Acknowledgement.self)
  }

  func setAnswer(_ slot: Int, _ answer: RegisterChannel.Acknowledgement) {
    (answers + slot * ChannelMemory.answerBytes).storeBytes(of: answer, as: RegisterChannel.Acknowledgement.self)
  }
}
