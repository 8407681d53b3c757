import Compression
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

  /// The integers of a part that is such.
  public func integers(_ part: Int) -> UnsafeMutableBufferPointer<Int64> {
    precondition(parts[part].kind == .integers, "\(parts[part].name) are no integers")
    let raw = UnsafeMutableRawPointer(memory[part].base)
    return UnsafeMutableBufferPointer(
      start: raw.assumingMemoryBound(to: Int64.self), count: parts[part].count)
  }
}
