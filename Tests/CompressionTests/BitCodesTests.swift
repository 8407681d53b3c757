import Compression
import Tensors
import Testing

@Suite("Codes of any number of bits")
struct BitCodesTests {
  @Test("What is packed comes back, and what is behind is clean", arguments: [1, 2, 3, 5, 7, 8, 9, 13, 16, 24, 31, 32])
  func roundTrip(_ bits: Int) {
    for count in [0, 1, 2, 7, 8, 9, 63, 64, 100] {
      var random = RandomStream(seed: 3, .test, sample: UInt64(bits), layer: UInt64(count))
      let codes = (0..<count).map { _ in UInt32(truncatingIfNeeded: random.next() & (1 << UInt64(bits) - 1)) }
      let bytes = BitCodes.byteCount(count, bits: bits)
      #expect(bytes == (count * bits + 7) / 8)
      // A guard behind, which stays.
      var packed = [UInt8](repeating: 0xA5, count: bytes + 1)
      packed.withUnsafeMutableBytes { packed in
        BitCodes.pack(count: count, bits: bits, into: packed.baseAddress!) { codes[$0] }
      }
      #expect(packed[bytes] == 0xA5)
      packed.withUnsafeBytes { packed in
        var found: [UInt32] = []
        BitCodes.forEach(packed.baseAddress!, count: count, bits: bits) { place, code in
          #expect(place == found.count)
          found.append(code)
        }
        #expect(found == codes)
        #expect(BitCodes.largest(packed.baseAddress!, count: count, bits: bits) == codes.max() ?? 0)
        #expect(BitCodes.endsClean(packed.baseAddress!, count: count, bits: bits))
      }
      if count * bits % 8 != 0 {
        packed[bytes - 1] |= 0x80
        #expect(packed.withUnsafeBytes { !BitCodes.endsClean($0.baseAddress!, count: count, bits: bits) })
      }
    }
  }

  @Test("One bit is a sign bit, and bits tell so many apart")
  func conventions() {
    let signs: [Float] = (0..<37).map { $0 % 3 == 0 ? -1 : 1 }
    var (bits, codes) = ([UInt8](repeating: 0, count: 5), [UInt8](repeating: 0, count: 5))
    bits.withUnsafeMutableBytes { SignBits.pack(signs, count: 37, into: $0.baseAddress!) }
    codes.withUnsafeMutableBytes { codes in
      BitCodes.pack(count: 37, bits: 1, into: codes.baseAddress!) { signs[$0] > 0 ? 1 : 0 }
    }
    #expect(bits == codes)
    #expect([1, 2, 3, 4, 5, 256, 257].map { BitCodes.bits(of: $0) } == [0, 1, 2, 2, 3, 8, 9])
  }
}

@Suite("Messages that nobody has encoded")
struct MessageFaultTests {
  static let compressors: [@Sendable () -> any Compressor] = [
    { Float16Rounding() }, { BFloat16Rounding() }, { QSGD(levels: 5, bucket: 256) }, { TernGrad() },
    { TopK(ratio: 0.2) }, { SampledTopK(ratio: 0.2, capacity: 301) }, { RandomK(ratio: 0.2, capacity: 301) },
    { ScaledSign() }, { ClassMeanSign() },
  ]

  @Test("What was encoded has no fault, and decodes elsewhere to the same bits", arguments: compressors.indices)
  func honest(_ index: Int) {
    let (compressor, other) = (Self.compressors[index](), Self.compressors[index]())
    for count in [1, 5, 256, 301] {
      var random = RandomStream(seed: 8, .test, sample: UInt64(count))
      let vector = (0..<count).map { _ in random.normal() }
      let key = CompressionKey(seed: 1, step: 2, worker: 3, bucket: 4)
      var message = [UInt8](repeating: 0, count: compressor.byteCount(of: count))
      var decoded = [[Float]](repeating: [Float](repeating: 0, count: count), count: 2)
      message.withUnsafeMutableBytes { message in
        compressor.encode(vector, count: count, key: key, into: message.baseAddress!)
        compressor.decode(message.baseAddress!, count: count, into: &decoded[0])
        #expect(other.fault(message.baseAddress!, count: count) == nil)
        other.prepare(count: count, key: key)
        other.decode(message.baseAddress!, count: count, into: &decoded[1])
      }
      #expect(decoded[0] == decoded[1])
    }
  }

  @Test("Indices beyond the vector, twice or backwards")
  func sparse() {
    let topK = TopK(ratio: 0.5)
    func fault(_ indices: [UInt32]) -> String? {
      let words = indices.flatMap { [$0, Float(1).bitPattern] }
      return words.withUnsafeBytes { topK.fault($0.baseAddress!, count: 8) }
    }
    #expect(fault([0, 3, 5, 7]) == nil && fault([0, 3, .max, .max]) == nil)
    let wrong: [[UInt32]] = [
      [0, 3, 5, 8], [0, 3, 3, 5], [3, 0, 5, 7], [0, .max, 3, 5], [.max - 1, .max, .max, .max],
    ]
    for indices in wrong { #expect(fault(indices) != nil) }
  }
}
