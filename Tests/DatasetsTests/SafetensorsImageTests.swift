import Datasets
import Foundation
import Tensors
import Testing

@Suite("Safetensors in memory") struct SafetensorsImageTests {
  private func image(_ floats: [Float], _ bytes: [UInt8]) -> SafetensorsImage {
    floats.withUnsafeBytes { floats in
      bytes.withUnsafeBytes { bytes in
        SafetensorsImage([
          .init(name: "bits", type: .uint8, shape: [bytes.count], bytes: bytes),
          .init(name: "change", type: .float32, shape: [floats.count / 4], bytes: floats),
        ])
      }
    }
  }

  @Test("an image is the file that the writer makes, and is read as it was written") func round() throws {
    let (floats, bytes): ([Float], [UInt8]) = ([1, -2, 3.5], [7, 8])
    let image = image(floats, bytes)
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try floats.withUnsafeBytes { floats in
      try bytes.withUnsafeBytes { bytes in
        _ = try SafetensorsWriter.write(
          path,
          tensors: [
            .init(name: "bits", type: .uint8, shape: [bytes.count], bytes: bytes),
            .init(name: "change", type: .float32, shape: [3], bytes: floats),
          ])
      }
    }
    try withExtendedLifetime(image) {
      #expect(FileManager.default.contents(atPath: path).map(Array.init) == Array(image.bytes))
      let view = try SafetensorsView(image.bytes, name: "an image")
      #expect(try Array(view.bytes("bits", .uint8, count: 2)) == bytes)
      var read = [Float](repeating: 0, count: 3)
      try read.withUnsafeMutableBufferPointer { try view.copy("change", into: $0) }
      #expect(read == floats)
      #expect(throws: DataError.self) { try view.bytes("bits", .uint8, count: 3) }
      #expect(throws: DataError.self) { try view.bytes("bits", .float32) }
      #expect(throws: DataError.self) { try view.bytes("other", .uint8) }
    }
  }

  @Test("memory is used again only where nobody else has it, and where it suffices") func reuse() {
    var spare: SafetensorsImage? = image([1, 2, 3, 4], [5])
    let kept = spare
    let parts: ([Float]) -> SafetensorsImage = { floats in
      floats.withUnsafeBytes {
        SafetensorsImage.make([.init(name: "change", type: .float32, shape: [floats.count], bytes: $0)], from: &spare)
      }
    }
    let first = parts([9])
    #expect(first !== kept && spare === kept)
    spare = nil
    withExtendedLifetime(kept) {}
    var own: SafetensorsImage? = image([Float](repeating: 1, count: 100), [])
    let address = own?.bytes.baseAddress
    let again = [Float(2)].withUnsafeBytes {
      SafetensorsImage.make([.init(name: "change", type: .float32, shape: [1], bytes: $0)], from: &own)
    }
    #expect(again.bytes.baseAddress == address && own == nil)
    let fresh = [Float(2)].withUnsafeBytes { bytes in
      SafetensorsImage([.init(name: "change", type: .float32, shape: [1], bytes: bytes)])
    }
    withExtendedLifetime((again, fresh)) { #expect(Array(again.bytes) == Array(fresh.bytes)) }
  }

  @Test("damage is found, whatever it is") func damage() {
    let image = image([1, 2, 3], [4, 5, 6])
    let good = withExtendedLifetime(image) { Array(image.bytes) }
    func opens(_ bytes: [UInt8]) -> Bool {
      bytes.withUnsafeBytes { (try? SafetensorsView($0, name: "an image")) != nil }
    }
    #expect(opens(good))
    for count in 0..<good.count { #expect(!opens(Array(good.prefix(count))), "\(count) bytes") }
    #expect(!opens(good + [0]))
    // Whatever a changed byte makes of the header, reading stays within the image.
    for change in 1..<(256 * min(good.count, 200)) where change & 0xFF != 0 {
      var bad = good
      bad[change >> 8] ^= UInt8(change & 0xFF)
      bad.withUnsafeBytes { bytes in
        guard let view = try? SafetensorsView(bytes, name: "an image") else { return }
        for (name, entry) in view.tensors { _ = try? view.bytes(name, entry.type).reduce(0) { $0 &+ Int($1) } }
      }
    }
  }
}
