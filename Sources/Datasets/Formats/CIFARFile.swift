import Tensors

/// The binary version of CIFAR-10 and CIFAR-100 (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
/// 2009): records of one label byte (two in CIFAR-100: coarse, then fine) and 3,072 bytes of red, green and blue planes.
package enum CIFARFile {
  /// Bytes of the planes of one image.
  static let pixels = 3 * 32 * 32

  /// Reads batches one after another; planes become channels-last.  `labelBytes` is 1 or 2; the last one is the class.
  package static func images(
    _ paths: [String], labelBytes: Int, classes: Int, normalisation: Normalisation
  ) throws(DataError) -> ImageSource {
    var files: [ByteBlock] = []
    var labels: [Int32] = []
    let record = labelBytes + pixels
    for path in paths {
      let file = try ByteReader.whole(path)
      guard file.count > 0, file.count % record == 0 else {
        throw DataError.malformed(
          path, "\(file.count) bytes are no whole number of records of \(record) bytes; get the file again")
      }
      for sample in 0..<(file.count / record) {
        let label = Int32(file.base[sample * record + labelBytes - 1])
        guard label < classes else {
          throw DataError.malformed(path, "label \(label) of sample \(sample) is outside 0..\(classes - 1)")
        }
        labels.append(label)
      }
      files.append(file)
    }
    let block = ByteBlock.make(labels.count * pixels) { target in
      var output = target.assumingMemoryBound(to: UInt8.self).baseAddress
      for file in files {
        for sample in 0..<(file.count / record) {
          if let output { interleave(file.base + sample * record + labelBytes, into: output) }
          output = output.map { $0 + pixels }
        }
      }
    }
    return ImageSource(
      pixels: block, shape: [32, 32, 3], labels: labels, classes: classes, scale: 255, normalisation: normalisation)
  }

  /// `[channel, height, width]` → `[height, width, channel]`.
  private static func interleave(_ planes: UnsafePointer<UInt8>, into output: UnsafeMutablePointer<UInt8>) {
    var i = 0
    while i < 1024 {
      output[3 &* i] = planes[i]
      output[3 &* i &+ 1] = planes[1024 &+ i]
      output[3 &* i &+ 2] = planes[2048 &+ i]
      i &+= 1
    }
  }
}
