import Datasets
import Foundation
import Tensors
import Testing

@Suite("IDX files are read exactly or refused")
struct IDXTests {
  let folder = Folder()

  @Test("bytes and int32, plain and gzip, in one or more members", arguments: [false, true])
  func reads(compressed: Bool) throws {
    let bytes = idx([2, 3], [1, 2, 3, 4, 5, 255])
    let file = try IDXFile(folder.write("a", compressed ? gzip(bytes) : bytes))
    #expect(file.extents == [2, 3])
    #expect(file.bytes.map { Array($0.bytes) } == [1, 2, 3, 4, 5, 255])
    let wide: [UInt8] = [0, 0, 0x0C, 1, 0, 0, 0, 2, 0, 0, 1, 2, 0xFF, 0xFF, 0xFF, 0xFE]
    #expect(try IDXFile(folder.write("b", compressed ? gzip(wide) : wide)).integers == [258, -2])
    let members = gzip(Array(bytes[..<7])) + gzip(Array(bytes[7...]))
    #expect(try IDXFile(folder.write("c", members)).extents == [2, 3])
  }

  @Test("a folder becomes images with classes; pixels are (x / 255 - mean) / deviation")
  func images() throws {
    let pixels: [UInt8] = [0, 51, 102, 153, 204, 255, 7, 8]
    let images = folder.write("i", idx([2, 2, 2], pixels))
    let labels = folder.write("l", gzip(idx([2], [1, 0])))
    let normalisation = Normalisation(mean: [0.25], deviation: [0.5])
    let source = try IDXFile.images(images, labels: labels, classes: 2, normalisation: normalisation)
    #expect(source.inputShape == [2, 2, 1])
    #expect(source.targetShape == [])
    #expect(source.targetType == .classes(2))
    let expected: [Float] = pixels.map { pixel in (Float(pixel) / 255 - 0.25) / 0.5 }
    #expect(floats(source, 0) + floats(source, 1) == expected)
    #expect(sample(source, 0).target == [1])
    #expect(source.label(1) == 0)
  }

  @Test("what is wrong is said, with the file's name")
  func refuses() throws {
    let good = idx([2, 3], [1, 2, 3, 4, 5, 6])
    func fault(_ bytes: [UInt8]) -> String {
      let path = folder.write("bad", bytes)
      let text = message { _ = try IDXFile(path) }
      #expect(text.hasPrefix(path))
      return text
    }
    #expect(fault([1] + good.dropFirst()).contains("not an IDX file"))
    #expect(fault([]).contains("truncated"))
    #expect(fault(Array(good.dropLast())).contains("more than the file can hold"))
    #expect(fault(Array(gzip(good).dropLast(4))).contains("cut off"))
    #expect(fault(gzip(Array(good.dropLast()))).contains("truncated"))
    #expect(fault(good + [0]).contains("bytes follow"))
    #expect(fault(gzip(good + [0])).contains("bytes follow"))
    #expect(fault(gzip(good) + [9, 9, 9]).contains("3 bytes follow"))
    #expect(fault([0, 0, 8, 4] + [UInt8](repeating: 0xFF, count: 16)).contains("absurd extents"))
    #expect(fault([0, 0, 8, 2, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 9]).contains("more than the file can hold"))
    #expect(fault(gzip([0, 0, 8, 2, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 9])).contains("more than the file can hold"))
    var corrupt = gzip([UInt8](repeating: 7, count: 300) + (0..<200).map { UInt8($0) })
    corrupt[corrupt.count - 6] ^= 0xFF
    #expect(fault(corrupt).contains("not an IDX file") || fault(corrupt).contains("corrupt gzip"))
    var wrongSum = gzip(good)
    wrongSum[wrongSum.count - 5] ^= 1
    #expect(fault(wrongSum).contains("corrupt gzip"))
    #expect(message { _ = try IDXFile(folder.path + "/none") }.contains("no such file"))
    #expect(message { _ = try IDXFile(folder.path) }.contains("is not a file"))
  }

  @Test("labels must be as many as images and in range")
  func labels() throws {
    let images = folder.write("i", idx([2, 1, 1], [1, 2]))
    let three = folder.write("l", idx([3], [0, 1, 0]))
    let large = folder.write("m", idx([2], [0, 10]))
    #expect(
      message { _ = try IDXFile.images(images, labels: three, classes: 10, normalisation: .identity) }
        .contains("3 labels for the 2 images"))
    #expect(
      message { _ = try IDXFile.images(images, labels: large, classes: 10, normalisation: .identity) }
        .contains("label 10 of sample 1 is outside 0..9"))
    #expect(
      message { _ = try IDXFile.images(three, labels: large, classes: 10, normalisation: .identity) }
        .contains("holds no images"))
  }

  @Test("no mutation traps", arguments: [false, true])
  func fuzzed(compressed: Bool) throws {
    let bytes = idx([4, 5, 3], (0..<60).map { UInt8($0) })
    try fuzz(compressed ? gzip(bytes) : bytes, name: "fuzzed", seed: 1) { _ = try IDXFile($0) }
  }
}
