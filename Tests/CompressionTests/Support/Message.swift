import Compression

/// Runs compressors on arrays, between guards that show what is written outside a message.
struct Message {
  var bytes: [UInt8]
  /// Whether nothing outside was written.
  let isContained: Bool

  private static let guardSize = 32

  /// Encodes at an offset from an aligned address, over memory filled with a byte.
  init(
    _ compressor: any Compressor, _ source: [Float], _ key: CompressionKey = CompressionKey(seed: 1, step: 0),
    offset: Int = 0, filling byte: UInt8 = 0xA5
  ) {
    let size = compressor.byteCount(of: source.count)
    let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: size + 2 * Message.guardSize + offset, alignment: 64)
    defer { whole.deallocate() }
    whole.initializeMemory(as: UInt8.self, repeating: byte)
    let start = Message.guardSize + offset
    source.withUnsafeBufferPointer { source in
      compressor.encode(
        source.baseAddress ?? Message.nothing, count: source.count, key: key, into: whole.baseAddress! + start)
    }
    bytes = Array(whole[start..<(start + size)])
    isContained = whole[..<start].allSatisfy { $0 == byte } && whole[(start + size)...].allSatisfy { $0 == byte }
  }

  /// target + scale · decoded, from an offset.
  func added(_ compressor: any Compressor, scale: Float = 1, to target: [Float], offset: Int = 0) -> [Float] {
    var target = target
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + offset + 1, alignment: 64)
    defer { copy.deallocate() }
    for (index, byte) in bytes.enumerated() { copy[offset + index] = byte }
    let count = target.count
    target.withUnsafeMutableBufferPointer { target in
      compressor.add(
        copy.baseAddress! + offset, count: count, scaledBy: scale,
        to: target.baseAddress ?? UnsafeMutablePointer(mutating: Message.nothing))
    }
    return target
  }

  /// What the message says.
  func decoded(_ compressor: any Compressor, _ count: Int) -> [Float] {
    added(compressor, to: [Float](repeating: 0, count: count))
  }

  /// Pairs of a sparse message.
  var pairs: [(index: UInt32, value: Float)] {
    (0..<(bytes.count / 8)).map { pair in
      (word(8 * pair), Float(bitPattern: word(8 * pair + 4)))
    }
  }

  /// Four bytes, lowest first.
  func word(_ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }

  /// A Float32 of the message.
  func float(_ offset: Int) -> Float { Float(bitPattern: word(offset)) }

  /// `width` bits from a bit on, counted from the lowest of a byte.
  func code(byte: Int, bit: Int, width: Int) -> Int {
    (0..<width).reduce(0) { $0 | Int(bytes[byte + (bit + $1) / 8] >> UInt8((bit + $1) % 8) & 1) << $1 }
  }

  nonisolated(unsafe) private static let nothing = UnsafePointer(UnsafeMutablePointer<Float>.allocate(capacity: 1))
}
