import Compression
import Datasets
import Tensors

/// Room for what one client uploads; a worker's, filled by one visit after the other.
public final class Upload {
  /// What it holds.
  public let parts: [UploadPart]
  private let memory: [Storage]

  /// Room for some parts.
  public init(_ parts: [UploadPart]) {
    self.parts = parts
    memory = parts.map { part in
      switch part.kind {
      case .change, .numbers: Storage(zeros: part.count)
      case .votes: Storage(zeros: (SignBits.byteCount(part.count) + 3) / 4)
      case .integers: Storage(zeros: 2 * part.count)
      }
    }
  }

  /// The scalars of a part that is a change or numbers.
  public func scalars(_ part: Int) -> UnsafeMutableBufferPointer<Float> {
    precondition(parts[part].kind == .change || parts[part].kind == .numbers, "\(parts[part].name) are no Float32")
    return UnsafeMutableBufferPointer(start: memory[part].base, count: parts[part].count)
  }

  /// The bits of a part that is votes.
  public func bits(_ part: Int) -> UnsafeMutableRawBufferPointer {
    precondition(parts[part].kind == .votes, "\(parts[part].name) are no votes")
    return UnsafeMutableRawBufferPointer(start: memory[part].base, count: SignBits.byteCount(parts[part].count))
  }

  /// Whether all Float32 parts are finite and small enough for exact sums.
  var isSummable: Bool {
    for (index, part) in parts.enumerated() where part.kind == .change || part.kind == .numbers {
      let scalars = scalars(index)
      guard let base = scalars.baseAddress else { continue }
      if !FixedPointScale.accepts(base, count: scalars.count) { return false }
    }
    return true
  }

  /// The integers of a part that is such.
  public func integers(_ part: Int) -> UnsafeMutableBufferPointer<Int64> {
    precondition(parts[part].kind == .integers, "\(parts[part].name) are no integers")
    let raw = UnsafeMutableRawPointer(memory[part].base)
    return UnsafeMutableBufferPointer(
      start: raw.assumingMemoryBound(to: Int64.self), count: parts[part].count)
  }

  /// The parts as tensors that travel: Float32, the bytes of votes, Int64.
  public var packed: [SafetensorsWriter.Part] { parts.indices.map { packed($0) } }

  /// One part as a tensor that travels.
  public func packed(_ part: Int) -> SafetensorsWriter.Part {
    let (type, bytes) = tensor(part)
    return SafetensorsWriter.Part(
      name: parts[part].name, type: type, shape: [bytes.count / type.size], bytes: UnsafeRawBufferPointer(bytes))
  }

  /// All parts ← tensors of their names.  Throws where one is missing, is not of their type and length, or has bits behind the
  /// last vote.
  public func copy(from packed: SafetensorsView) throws(DataError) {
    for part in parts.indices { try copy(part, from: packed) }
  }

  /// A part ← the tensor of its name.
  public func copy(_ part: Int, from packed: SafetensorsView) throws(DataError) {
    let (type, bytes) = tensor(part)
    let found = try packed.bytes(parts[part].name, type, count: bytes.count / type.size)
    if parts[part].kind == .votes { try packed.requireClean(parts[part].name, found, count: parts[part].count) }
    bytes.copyMemory(from: found)
  }

  private func tensor(_ part: Int) -> (Datasets.ScalarType, UnsafeMutableRawBufferPointer) {
    switch parts[part].kind {
    case .change, .numbers: (.float32, UnsafeMutableRawBufferPointer(scalars(part)))
    case .votes: (.uint8, bits(part))
    case .integers: (.int64, UnsafeMutableRawBufferPointer(integers(part)))
    }
  }
}

extension SafetensorsView {
  /// Throws where bits of a tensor stand behind the last of `count` codes.
  func requireClean(
    _ tensor: String, _ bytes: UnsafeRawBufferPointer, count: Int, bits: Int = 1
  ) throws(DataError) {
    guard let base = bytes.baseAddress, !BitCodes.endsClean(base, count: count, bits: bits) else { return }
    throw unsuitable(tensor, "has bits behind the last of \(count) codes")
  }
}
