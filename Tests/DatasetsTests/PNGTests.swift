import CZlib
import Datasets
import Testing

@Suite("PNG images")
struct PNGTests {
  /// A grey PNG of so many bits a pixel; each row is its bytes without the filter's.
  static func png(width: UInt8, height: UInt8, bits: UInt8, rows: [[UInt8]]) -> [UInt8] {
    func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
      let body = Array(name.utf8) + data
      return word(UInt32(data.count)) + body + word(UInt32(crc32(0, body, UInt32(body.count))))
    }
    let raw: [UInt8] = rows.flatMap { row -> [UInt8] in [0] + row }
    var packed = [UInt8](repeating: 0, count: raw.count + 100)
    var length = UInt(packed.count)
    compress(&packed, &length, raw, UInt(raw.count))
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
      + chunk("IHDR", [0, 0, 0, width, 0, 0, 0, height, bits, 0, 0, 0, 0])
      + chunk("IDAT", Array(packed[..<Int(length)])) + chunk("IEND", [])
  }

  func read(_ bytes: [UInt8], path: String = "a.png") throws -> PNGFile {
    try bytes.withUnsafeBytes { try PNGFile($0, path: path) }
  }

  @Test("one bit and eight bits a pixel")
  func pixels() throws {
    let black = try read(PNGTests.png(width: 10, height: 2, bits: 1, rows: [[0b1010_0000, 0b0100_0000], [255, 255]]))
    #expect(black.width == 10 && black.height == 2)
    #expect(black.pixels == [255, 0, 255, 0, 0, 0, 0, 0, 0, 255] + [UInt8](repeating: 255, count: 10))
    let grey = try read(PNGTests.png(width: 3, height: 2, bits: 8, rows: [[0, 128, 255], [1, 2, 3]]))
    #expect(grey.pixels == [0, 128, 255, 1, 2, 3])
  }

  @Test("damaged images are errors that name the file")
  func damaged() throws {
    #expect(message { _ = try read([]) }.hasPrefix("a.png: not a PNG image"))
    #expect(message { _ = try read(Array("GIF89a".utf8)) }.hasPrefix("a.png: not a PNG image"))
    let good = PNGTests.png(width: 16, height: 16, bits: 8, rows: (0..<16).map { [UInt8](repeating: $0, count: 16) })
    try fuzz(good, name: "a.png", seed: 7) { path in _ = try read(contents(path), path: path) }
  }
}
