import Tensors

/// The IDX container of the MNIST family: magic `0 0 type rank`, `rank` big-endian extents, then the scalars.
///
/// Types `0x08` (unsigned byte) and `0x0C` (big-endian int32) are read, plain or gzip.  (Y. LeCun, C. Cortes, C. Burges,
/// "The MNIST database of handwritten digits", section File formats.)
package struct IDXFile {
  /// Extents, outermost first.
  package let extents: [Int]
  /// Scalars of one byte.
  package let bytes: ByteBlock?
  /// Scalars of four bytes, in the machine's order.
  package let integers: [Int32]

  var count: Int { extents.reduce(1, *) }

  /// Reads a whole file; anything missing or left over is an error.
  package init(_ path: String) throws(DataError) {
    let reader = try ByteReader(path)
    let magic = try reader.exactly(4, "the magic number")
    guard magic[0] == 0, magic[1] == 0, magic[2] == 0x08 || magic[2] == 0x0C, (1...4).contains(magic[3]) else {
      let found = magic.map { String($0, radix: 16) }.joined(separator: " ")
      throw DataError.malformed(
        path, "not an IDX file of bytes or int32: it begins with \(found) in place of 0 0 8 (or c) and a rank of 1 to 4"
      )
    }
    let header = try reader.exactly(4 * Int(magic[3]), "the extents")
    var extents: [Int] = []
    var count = 1
    for axis in 0..<Int(magic[3]) {
      let extent = (0..<4).reduce(0) { $0 << 8 | Int(header[4 * axis + $1]) }
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= Int.max / 8 else {
        throw DataError.malformed(path, "absurd extents \(extents + [extent]); get the file again")
      }
      extents.append(extent)
      count = product
    }
    self.extents = extents
    let wide = magic[2] == 0x0C
    let block = try reader.block(wide ? 4 * count : count, "\(extents.map(String.init).joined(separator: "x")) scalars")
    try reader.end()
    if wide {
      bytes = nil
      integers = (0..<count).map { i in
        Int32(bitPattern: (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(block.base[4 * i + $1]) })
      }
    } else {
      bytes = block
      integers = []
    }
  }

  /// Images `[n, height, width]` or `[n, height, width, channels]` of bytes and a file of as many labels.
  package static func images(
    _ images: String, labels: String, classes: Int?, normalisation: Normalisation, scale: Float = 255
  ) throws(DataError) -> ImageSource {
    let pictures = try IDXFile(images)
    guard let pixels = pictures.bytes, (3...4).contains(pictures.extents.count), pictures.count > 0 else {
      throw DataError.malformed(images, "holds no images: extents \(pictures.extents)")
    }
    let marks = try IDXFile(labels)
    guard marks.extents.count == 1 else {
      throw DataError.malformed(labels, "holds no list of labels: extents \(marks.extents)")
    }
    guard marks.extents[0] == pictures.extents[0] else {
      throw DataError.malformed(
        labels, "\(marks.extents[0]) labels for the \(pictures.extents[0]) images of \(images)")
    }
    let numbers = marks.bytes.map { bytes in bytes.bytes.map { Int32($0) } } ?? marks.integers
    let extents = pictures.extents
    return ImageSource(
      pixels: pixels, shape: [extents[1], extents[2], extents.count == 4 ? extents[3] : 1], labels: numbers,
      classes: try Labels.check(numbers, classes: classes, path: labels), scale: scale, normalisation: normalisation)
  }
}
