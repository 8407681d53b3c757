import Compression
import Datasets
import Tensors

/// Tables as they travel: a bit a class for those that have a prototype, and prototypes.
extension ClassTable {
  private static let (known, prototypes) = ("known", "prototypes")

  /// Bytes of the bits.
  private var bitBytes: Int { SignBits.byteCount(classes) }

  /// A table as tensors in memory of its own, of all classes or of those that have a prototype.
  func packed(_ table: UnsafePointer<Float>, all: Bool, in packed: Storage) -> [SafetensorsWriter.Part] {
    let bits = UnsafeMutableRawPointer(packed.base + classes * width).assumingMemoryBound(to: UInt8.self)
    bits.update(repeating: 0, count: bitBytes)
    var rows = 0
    for label in 0..<classes {
      let isKnown = table[row(label) + width] != 0
      if isKnown { bits[label >> 3] |= 1 << UInt8(label & 7) }
      if !isKnown && !all { continue }
      (packed.base + rows * width).update(from: table + row(label), count: width)
      rows += 1
    }
    return [
      SafetensorsWriter.Part(name: ClassTable.prototypes, shape: [rows * width], floats: packed.base),
      SafetensorsWriter.Part(
        name: ClassTable.known, type: .uint8, shape: [bitBytes],
        bytes: UnsafeRawBufferPointer(start: bits, count: bitBytes)),
    ]
  }

  /// Memory for a table that travels.
  var wireMemory: Storage { Storage(zeros: classes * width + (bitBytes + 3) / 4) }

  /// A table ← tensors; zeros for classes that are not among them.
  func take(
    _ view: SafetensorsView, all: Bool, into table: UnsafeMutablePointer<Float>
  ) throws(DataError) {
    let bits = try view.bytes(ClassTable.known, .uint8, count: bitBytes)
    try view.requireClean(ClassTable.known, bits, count: classes)
    let rows = all ? classes : bits.reduce(0) { $0 + $1.nonzeroBitCount }
    let found = try view.bytes(ClassTable.prototypes, .float32, count: rows * width)
    table.update(repeating: 0, count: count)
    var next = 0
    for label in 0..<classes {
      let isKnown = bits[label >> 3] >> UInt8(label & 7) & 1 == 1
      if !isKnown && !all { continue }
      let source = UnsafeRawBufferPointer(rebasing: found[4 * next * width..<4 * (next + 1) * width])
      UnsafeMutableRawBufferPointer(start: table + row(label), count: 4 * width).copyMemory(from: source)
      if isKnown { table[row(label) + width] = 1 }
      next += 1
    }
  }
}
