import Compression
import Datasets
import Tensors

/// The messages of a change, one for each of its pieces, one behind the other: the tensor that travels in place of its scalars.
final class ChangeMessages {
  private let pieces: ChangePieces
  private let compressor: any Compressor
  private let bytes: UnsafeMutableRawBufferPointer

  /// Room for the messages of a plan's change.
  init(_ choice: CompressorChoice, _ task: FederatedTask, _ plan: FederatedPlan) {
    pieces = ChangePieces(plan, task)
    compressor = choice.make(pieces.longest)
    bytes = .allocate(byteCount: max(1, pieces.bytes(choice)), alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { bytes.deallocate() }

  /// Pieces of the change.
  var count: Int { pieces.ranges.count }

  /// Writes the messages of a change, which is replaced by what is decoded of them.  A residual is what earlier ones left out,
  /// and then what these do.  `key` is that of the first piece.
  func replace(
    _ change: UnsafeMutablePointer<Float>, residual: UnsafeMutablePointer<Float>? = nil, key: CompressionKey
  ) {
    forEach(key) { range, message, key in
      let scalars = change + range.lowerBound
      if let residual {
        ErrorFeedback.encode(
          scalars, residual: residual + range.lowerBound, count: range.count, with: compressor, key: key, into: message)
      } else {
        compressor.encode(scalars, count: range.count, key: key, into: message)
      }
      compressor.decode(message, count: range.count, into: scalars)
    }
  }

  /// The messages as a tensor that travels.
  func packed(_ name: String) -> SafetensorsWriter.Part {
    let used = messages
    return SafetensorsWriter.Part(
      name: name, type: .uint8, shape: [used.count], bytes: UnsafeRawBufferPointer(used))
  }

  /// change ← what is decoded of messages that were written elsewhere.  Throws for what is none; the change may have moved.
  func take(
    _ name: String, from packed: SafetensorsView, key: CompressionKey, into change: UnsafeMutablePointer<Float>
  ) throws(DataError) {
    messages.copyMemory(from: try packed.bytes(name, .uint8, count: messages.count))
    var fault: String?
    forEach(key) { range, message, key in
      fault = fault ?? compressor.fault(message, count: range.count)
      if fault != nil { return }
      compressor.prepare(count: range.count, key: key)
      compressor.decode(message, count: range.count, into: change + range.lowerBound)
    }
    if let fault { throw packed.unsuitable(name, "has \(fault)") }
  }

  private var messages: UnsafeMutableRawBufferPointer {
    let used = pieces.ranges.reduce(0) { $0 + compressor.byteCount(of: $1.count) }
    return UnsafeMutableRawBufferPointer(rebasing: bytes[..<used])
  }

  /// Calls `body` with each piece, where its message is, and its key.
  private func forEach(
    _ key: CompressionKey, _ body: (Range<Int>, UnsafeMutableRawPointer, CompressionKey) -> Void
  ) {
    guard var message = bytes.baseAddress else { return }
    var key = key
    for range in pieces.ranges {
      body(range, message, key)
      message += compressor.byteCount(of: range.count)
      key.bucket += 1
    }
  }
}
