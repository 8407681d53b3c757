import Datasets
import Tensors

/// How clients say what they bring of classes: the labels of those, and for each the sums of its embeddings, then its count.
final class PrototypeWire {
  private let classes: Int
  private let width: Int
  private let memory: Storage

  private static let (labels, sums) = ("labels", "sums")

  init(classes: Int, width: Int) {
    self.classes = classes
    self.width = width
    memory = Storage(zeros: 2 * PrototypeMemory.wordCount(classes: classes, width: width) + classes)
  }

  /// Words as they travel, then labels.
  func packed(_ words: UnsafeMutableBufferPointer<Int64>) -> [SafetensorsWriter.Part] {
    let (row, base) = (width + 1, UnsafeMutableRawPointer(memory.base))
    let labels = base + 8 * classes * row
    var known = 0
    for label in 0..<classes where words[label * row + width] > 0 {
      (base + 8 * known * row).copyMemory(from: words.baseAddress.unsafelyUnwrapped + label * row, byteCount: 8 * row)
      labels.storeBytes(of: UInt32(label), toByteOffset: 4 * known, as: UInt32.self)
      known += 1
    }
    return [
      SafetensorsWriter.Part(
        name: PrototypeWire.sums, type: .int64, shape: [known * row],
        bytes: UnsafeRawBufferPointer(start: base, count: 8 * known * row)),
      SafetensorsWriter.Part(
        name: PrototypeWire.labels, type: .uint32, shape: [known],
        bytes: UnsafeRawBufferPointer(start: labels, count: 4 * known)),
    ]
  }

  /// words ← what a client with so many samples brings, zeros for other classes.  Throws unless labels ascend, counts are at
  /// least 1 and together no more than its samples, and sums are of embeddings within ``FixedPointScale/limit``.
  func unpack(
    _ view: SafetensorsView, samples: Int, into words: UnsafeMutableBufferPointer<Int64>
  ) throws(DataError) {
    let labels = try view.bytes(PrototypeWire.labels, .uint32)
    let (known, row) = (labels.count / 4, width + 1)
    guard known <= classes else { throw view.unsuitable(PrototypeWire.labels, "has \(known) of \(classes) classes") }
    let sums = try view.bytes(PrototypeWire.sums, .int64, count: known * row)
    let largest = Int64(PrototypeMemory.scale.unit * Double(FixedPointScale.limit))
    words.update(repeating: 0)
    var (before, left) = (-1, min(samples, PrototypeMemory.samplesPerClass))
    for place in 0..<known {
      let label = Int(labels.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self))
      guard label > before, label < classes else {
        throw view.unsuitable(PrototypeWire.labels, "has label \(label) behind \(before), of \(classes) classes")
      }
      before = label
      let count = sums.loadUnaligned(fromByteOffset: 8 * (place * row + width), as: Int64.self)
      guard count >= 1, count <= left else {
        throw view.unsuitable(PrototypeWire.sums, "is of more samples than the client has, or of \(count)")
      }
      left -= Int(count)
      for i in 0..<width {
        let sum = sums.loadUnaligned(fromByteOffset: 8 * (place * row + i), as: Int64.self)
        guard sum.magnitude <= UInt64(largest) * UInt64(count) else {
          throw view.unsuitable(PrototypeWire.sums, "is of embeddings beyond \(FixedPointScale.limit)")
        }
        words[label * row + i] = sum
      }
      words[label * row + width] = count
    }
  }
}
