import CZlib
import Glibc

/// Reads a file from front to back, inflating it on the way when it begins like gzip (RFC 1952).
///
/// Nothing is trusted: a gzip stream must be whole, its checksum right and nothing may follow it.
final class ByteReader {
  let path: String
  private let file: ByteBlock
  // At a fixed address, because zlib remembers it.
  private let stream: UnsafeMutablePointer<z_stream>?
  private var position = 0
  private var ended = false

  /// Opens a file, plain or gzip: its first two bytes tell.
  init(_ path: String) throws(DataError) {
    self.path = path
    file = try ByteBlock.map(path)
    if file.count >= 2, file.base[0] == 0x1F, file.base[1] == 0x8B {
      let fresh = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
      fresh.initialize(to: z_stream())
      guard inflateInit2_(fresh, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        fresh.deallocate()
        throw DataError(.unreadable, "cannot read \(path): zlib has no memory left")
      }
      stream = fresh
    } else {
      stream = nil
    }
  }

  deinit {
    guard let stream else { return }
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Whether the file is compressed.
  var isCompressed: Bool { stream != nil }

  /// The most bytes the file can still yield: what is left of a plain file; deflate gains at most a factor of 1,032.
  var mostLeft: Int { isCompressed ? (file.count - position) * 1032 + 65536 : file.count - position }

  /// Fills `target` as far as the file goes and returns how many bytes that was.
  func read(into target: UnsafeMutableRawBufferPointer) throws(DataError) -> Int {
    guard let start = target.baseAddress, !target.isEmpty else { return 0 }
    guard let stream else {
      let amount = min(target.count, file.count - position)
      start.copyMemory(from: file.base + position, byteCount: amount)
      position += amount
      return amount
    }
    var written = 0
    while written < target.count, !ended {
      // zlib counts in 32 bits.
      let input = min(file.count - position, 1 << 30)
      let output = min(target.count - written, 1 << 30)
      stream.pointee.next_in = UnsafeMutablePointer(mutating: file.base + position)
      stream.pointee.avail_in = UInt32(input)
      stream.pointee.next_out = (start + written).assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = UInt32(output)
      let status = inflate(stream, Z_NO_FLUSH)
      position += input - Int(stream.pointee.avail_in)
      written += output - Int(stream.pointee.avail_out)
      switch status {
      case Z_STREAM_END: try member(stream)
      case Z_OK: continue
      case Z_BUF_ERROR:
        throw DataError.malformed(path, "the gzip stream is cut off; get the file again")
      default:
        throw DataError.malformed(path, "corrupt gzip (\(reason(stream))); get the file again")
      }
    }
    return written
  }

  /// After the end of one gzip member: another one may follow, anything else may not.
  private func member(_ stream: UnsafeMutablePointer<z_stream>) throws(DataError) {
    if position == file.count {
      ended = true
    } else if file.count - position >= 2, file.base[position] == 0x1F, file.base[position + 1] == 0x8B {
      inflateReset(stream)
    } else {
      throw DataError.malformed(path, "\(file.count - position) bytes follow the end of the gzip stream")
    }
  }

  private func reason(_ stream: UnsafeMutablePointer<z_stream>) -> String {
    stream.pointee.msg.map { String(cString: $0) } ?? "bad data"
  }

  /// Exactly `count` bytes, for the part of the file called `what`.
  func exactly(_ count: Int, _ what: String, into target: UnsafeMutableRawBufferPointer) throws(DataError) {
    let got = try read(into: target)
    if got < count {
      throw DataError.malformed(
        path, "truncated: \(what) needs \(count) bytes and the file holds \(got); get the file again")
    }
  }

  /// Exactly `count` bytes as an array.
  func exactly(_ count: Int, _ what: String) throws(DataError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: DataError?
    bytes.withUnsafeMutableBytes { target in
      do throws(DataError) { try exactly(count, what, into: target) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Exactly `count` bytes as a block, refused before anything is allocated when the file cannot hold them.
  func block(_ count: Int, _ what: String) throws(DataError) -> ByteBlock {
    guard count <= mostLeft else {
      throw DataError.malformed(
        path, "truncated or hostile: \(what) should be \(count) bytes, more than the file can hold; get the file again")
    }
    return try ByteBlock.make(count) { (target) throws(DataError) in try exactly(count, what, into: target) }
  }

  /// Refuses anything after the end of what the format describes.
  func end() throws(DataError) {
    var extra: UInt8 = 0
    var failure: DataError?
    let got = withUnsafeMutableBytes(of: &extra) { target -> Int in
      do throws(DataError) { return try read(into: target) } catch {
        failure = error
        return 0
      }
    }
    if let failure { throw failure }
    if got > 0 { throw DataError.malformed(path, "bytes follow the end of the data; get the file again") }
  }

  /// The whole file, however long, up to `limit` bytes.
  static func whole(_ path: String, limit: Int = 1 << 33) throws(DataError) -> ByteBlock {
    let reader = try ByteReader(path)
    guard reader.isCompressed else {
      guard reader.file.count <= limit else {
        throw DataError(.unsuitable, "\(path) has \(reader.file.count) bytes, more than the limit of \(limit)")
      }
      return reader.file
    }
    var pieces: [ByteBlock] = []
    var total = 0
    while true {
      let size = min(max(1 << 16, total), 1 << 28)
      var got = 0
      let piece = try ByteBlock.make(size) { (target) throws(DataError) in got = try reader.read(into: target) }
      pieces.append(piece)
      total += got
      guard total <= limit else {
        throw DataError(.unsuitable, "\(path) inflates to more than the limit of \(limit) bytes")
      }
      if got < size { break }
    }
    return ByteBlock.make(total) { target in
      var offset = 0
      for piece in pieces {
        let amount = min(piece.count, total - offset)
        guard amount > 0, let start = target.baseAddress else { break }
        (start + offset).copyMemory(from: piece.base, byteCount: amount)
        offset += amount
      }
    }
  }
}
