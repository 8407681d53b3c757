import Foundation

/// Small data sets that tests make for themselves: the same bytes every time.
enum GeneratedData {
  /// Bytes that look random.
  private static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<count).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state >> 32)
    }
  }

  /// An IDX file of bytes: magic, extents, scalars.
  static func idx(_ extents: [Int], _ scalars: [UInt8]) -> Data {
    var data = Data([0, 0, 8, UInt8(extents.count)])
    for extent in extents { data += (0..<4).map { UInt8(truncatingIfNeeded: extent >> (24 - 8 * $0)) } }
    return data + Data(scalars)
  }

  /// Images of `size`×`size` whose brightness goes with their class, as IDX bytes of images and labels.
  static func images(_ count: Int, size: Int, classes: Int, seed: UInt64) -> (images: Data, labels: Data) {
    var pixels = bytes(count * size * size, seed: seed)
    let labels = (0..<count).map { UInt8(($0 * 7 + $0 / 5) % classes) }
    for (index, label) in labels.enumerated() {
      for p in 0..<size * size where p % classes == Int(label) { pixels[index * size * size + p] |= 0xC0 }
    }
    return (idx([count, size, size], pixels), idx([count], labels))
  }

  /// A folder of the MNIST family with 203 training and 50 test images: 8×8, five classes.
  static func writeIDX(
    _ tool: CommandLineTool, to folder: String = "images", size: Int = 8, classes: Int = 5, seed: UInt64 = 1
  ) throws {
    let training = images(203, size: size, classes: classes, seed: seed)
    let test = images(50, size: size, classes: classes, seed: seed + 1)
    try tool.write(training.images, to: "\(folder)/train-images-idx3-ubyte")
    try tool.write(training.labels, to: "\(folder)/train-labels-idx1-ubyte")
    try tool.write(test.images, to: "\(folder)/t10k-images-idx3-ubyte")
    try tool.write(test.labels, to: "\(folder)/t10k-labels-idx1-ubyte")
  }

  /// A folder in CIFAR-10's binary version with `count` training and 20 test images.
  static func writeCIFAR(_ tool: CommandLineTool, to folder: String = "photographs", count: Int = 60) throws {
    func records(_ count: Int, seed: UInt64) -> Data {
      let pixels = bytes(count * 3072, seed: seed)
      var data = Data()
      for index in 0..<count { data += Data([UInt8(index * 3 % 10)] + pixels[index * 3072..<(index + 1) * 3072]) }
      return data
    }
    try tool.write(records(count, seed: 3), to: "\(folder)/data_batch_1.bin")
    try tool.write(records(20, seed: 4), to: "\(folder)/test_batch.bin")
  }

  /// A text of words.
  static func text(words: Int = 700) -> String {
    let vocabulary = [
      "to", "be", "or", "not", "that", "is", "the", "question", "whether", "tis", "nobler", "in", "mind",
    ]
    let picks = bytes(words, seed: 9)
    return picks.map { vocabulary[Int($0) % vocabulary.count] }.joined(separator: " ") + "\n"
  }
}
