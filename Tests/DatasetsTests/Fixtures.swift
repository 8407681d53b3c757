import CZlib
import Datasets
import Foundation
import Tensors
import Testing

/// A folder of its own for one test, gone afterwards.
final class Folder {
  let path: String

  init() {
    path = NSTemporaryDirectory() + "nndist-datasets-\(UUID().uuidString)"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file and returns its path.
  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) -> String {
    let file = "\(path)/\(name)"
    let parent = (file as NSString).deletingLastPathComponent
    try? FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    _ = FileManager.default.createFile(atPath: file, contents: Data(bytes))
    return file
  }

  @discardableResult
  func write(_ name: String, _ text: String) -> String { write(name, Array(text.utf8)) }

  /// Names of the files.
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

/// Bytes of a file.
func contents(_ path: String) -> [UInt8] { FileManager.default.contents(atPath: path).map { Array($0) } ?? [] }

/// A gzip stream of the bytes.
func gzip(_ bytes: [UInt8]) -> [UInt8] {
  var stream = z_stream()
  deflateInit2_(
    &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  defer { deflateEnd(&stream) }
  var input = bytes
  var output = [UInt8](repeating: 0, count: bytes.count + 1000)
  return input.withUnsafeMutableBufferPointer { source in
    output.withUnsafeMutableBufferPointer { target in
      stream.next_in = source.baseAddress
      stream.avail_in = UInt32(source.count)
      stream.next_out = target.baseAddress
      stream.avail_out = UInt32(target.count)
      deflate(&stream, Z_FINISH)
      return Array(target[..<(target.count - Int(stream.avail_out))])
    }
  }
}

/// An IDX file of bytes.
func idx(_ extents: [Int], _ scalars: [UInt8]) -> [UInt8] {
  [0, 0, 8, UInt8(extents.count)]
    + extents.flatMap { extent in (0..<4).map { UInt8(truncatingIfNeeded: extent >> (24 - 8 * $0)) } } + scalars
}

/// A safetensors file of a header and what follows.
func safetensors(_ header: String, _ data: [UInt8] = []) -> [UInt8] {
  let text = Array(header.utf8)
  return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text + data
}

/// One sample of a source: inputs as bits, targets as bits.
func sample(_ source: any DataSource, _ index: Int, epoch: UInt64 = 0) -> (input: [UInt32], target: [UInt32]) {
  var input = [UInt32](repeating: 0xDEAD, count: source.inputShape.count)
  var target = [UInt32](repeating: 0xDEAD, count: source.targetShape.count)
  input.withUnsafeMutableBytes { input in
    target.withUnsafeMutableBytes { target in
      if let input = input.baseAddress, let target = target.baseAddress {
        source.read(index, epoch: epoch, into: input, targets: target)
      }
    }
  }
  return (input, target)
}

/// The inputs of one sample as numbers.
func floats(_ source: any DataSource, _ index: Int, epoch: UInt64 = 0) -> [Float] {
  sample(source, index, epoch: epoch).input.map { Float(bitPattern: $0) }
}

/// The message of the data error that a body throws.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return "\(error)" }
}

/// Every cut and many mutations of a good file either read well or throw a data error that names the file; none traps.
func fuzz(_ good: [UInt8], name: String, seed: UInt64, _ read: (String) throws -> Void) throws {
  let folder = Folder()
  var stream = RandomStream(seed: seed, .test)
  func attempt(_ bytes: [UInt8]) throws {
    let path = folder.write(name, bytes)
    do {
      try read(path)
    } catch let error as DataError {
      #expect(error.description.contains(path))
      #expect(!error.description.contains("\n"))
    }
  }
  for length in 0..<min(good.count, 160) { try attempt(Array(good[..<length])) }
  for _ in 0..<40 { try attempt(Array(good[..<stream.below(good.count)])) }
  for _ in 0..<600 {
    var bytes = good
    for _ in 0...stream.below(4) {
      // Headers matter most.
      let position = stream.below(4) > 0 ? stream.below(min(bytes.count, 160)) : stream.below(bytes.count)
      bytes[position] = [0, 1, 0x7F, 0x80, 0xFF, UInt8(truncatingIfNeeded: stream.next())][stream.below(6)]
    }
    try attempt(bytes)
  }
  try attempt(good + [0])
  try read(folder.write(name, good))
}

/// The folder of real data, where there is one.
let realData = ProcessInfo.processInfo.environment["NNDIST_DATA"]
