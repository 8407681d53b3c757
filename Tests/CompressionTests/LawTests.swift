import Compression
import Tensors
import Testing

/// A compressor by name, made anew for every test.
struct Method: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let make: @Sendable (_ capacity: Int) -> any Compressor
  /// The size that its documentation states.
  let bytes: @Sendable (_ count: Int) -> Int
  /// Whether what it keeps is kept to the bit, so that error feedback of whole numbers is exact.
  var isSparse = false

  static func chosen(_ count: Int, _ percent: Int) -> Int { count == 0 ? 0 : max(1, count * percent / 100) }
  static func ceiling(_ a: Int, _ b: Int) -> Int { a / b + (a % b == 0 ? 0 : 1) }

  static let all: [Method] = [
    Method(testDescription: "float16", make: { _ in Float16Rounding() }, bytes: { 2 * $0 }),
    Method(testDescription: "bfloat16", make: { _ in BFloat16Rounding() }, bytes: { 2 * $0 }),
    Method(
      testDescription: "top-k", make: { _ in TopK(ratio: 0.25) }, bytes: { 8 * chosen($0, 25) }, isSparse: true),
    Method(
      testDescription: "sampled top-k", make: { SampledTopK(ratio: 0.01, capacity: $0) },
      bytes: { 8 * chosen($0, 1) }, isSparse: true),
    Method(
      testDescription: "random-k", make: { RandomK(ratio: 0.25, capacity: $0) }, bytes: { 4 * chosen($0, 25) },
      isSparse: true),
    Method(testDescription: "sign vote", make: { _ in SignVote() }, bytes: { 4 + ceiling($0, 8) }),
    Method(testDescription: "scaled sign", make: { _ in ScaledSign() }, bytes: { 4 + ceiling($0, 8) }),
    Method(testDescription: "class means", make: { _ in ClassMeanSign() }, bytes: { 8 + ceiling($0, 8) }),
    Method(testDescription: "QSGD 127", make: { _ in QSGD() }, bytes: { 4 * ceiling($0, 512) + $0 }),
    Method(
      testDescription: "QSGD 5", make: { _ in QSGD(levels: 5, bucket: 256, norm: .maximum) },
      bytes: { 4 * ceiling($0, 256) + ceiling(4 * $0, 8) }),
    Method(
      testDescription: "QSGD 2", make: { _ in QSGD(levels: 2) }, bytes: { 4 * ceiling($0, 512) + ceiling(3 * $0, 8) }),
    Method(testDescription: "TernGrad", make: { _ in TernGrad() }, bytes: { 4 + ceiling($0, 4) }),
  ]
}

@Suite("Laws every compressor obeys")
struct LawTests {
  @Test("A message has its documented size, every byte of it, and nothing outside", arguments: Method.all)
  func size(_ method: Method) {
    for count in Sample.counts {
      let compressor = method.make(count)
      let source = Sample.normal(count)
      #expect(compressor.byteCount(of: count) == method.bytes(count), "of \(count)")
      let (over0, over255) = (Message(compressor, source, filling: 0), Message(compressor, source, filling: 255))
      #expect(over0.bytes == over255.bytes, "of \(count)")
      #expect(over0.isContained && over255.isContained, "of \(count)")
    }
  }

  @Test("Messages begin at any address", arguments: Method.all)
  func alignment(_ method: Method) {
    for count in [17, 257, 4097] {
      let compressor = method.make(count)
      let source = Sample.normal(count)
      let aligned = Message(compressor, source)
      let decoded = aligned.decoded(compressor, count)
      for offset in 1...3 {
        #expect(Message(compressor, source, offset: offset).bytes == aligned.bytes)
        let zeros = [Float](repeating: 0, count: count)
        #expect(bits(aligned.added(compressor, to: zeros, offset: offset)) == bits(decoded))
      }
    }
  }

  @Test("Messages add; a scale of −1 takes exactly what 1 gives", arguments: Method.all)
  func addition(_ method: Method) {
    for count in Sample.counts {
      let compressor = method.make(count)
      let message = Message(compressor, Sample.normal(count))
      let decoded = message.decoded(compressor, count)
      let target = Sample.normal(count, seed: 9)
      #expect(message.added(compressor, to: target) == zip(target, decoded).map { $0 + $1 })
      #expect(message.added(compressor, scale: -1, to: target) == zip(target, decoded).map { $0 - $1 })
      let halved = message.added(compressor, scale: 0.5, to: [Float](repeating: 0, count: count))
      #expect(halved == decoded.map { $0 / 2 })
    }
  }

  @Test("What is not finite shows", arguments: Method.all, [Float.nan, .infinity, -.infinity, -.nan])
  func notFinite(_ method: Method, _ value: Float) {
    for count in Sample.counts where count > 0 {
      for place in Set([0, count / 2, count - 1]) {
        let compressor = method.make(count)
        var source = Sample.normal(count)
        source[place] = value
        let decoded = Message(compressor, source).decoded(compressor, count)
        #expect(decoded.contains { !$0.isFinite }, "of \(count), at \(place)")
      }
    }
  }

  @Test("A vector of zeros decodes to numbers, and most methods to zeros", arguments: Method.all)
  func zeros(_ method: Method) {
    for count in [1, 17, 4097] {
      let compressor = method.make(count)
      let zeros = [Float](repeating: 0, count: count)
      let decoded = Message(compressor, zeros).decoded(compressor, count)
      #expect(decoded == (compressor is SignVote ? zeros.map { _ in 1 } : zeros))
    }
  }

  @Test("A key gives one message; stochastic methods differ in every part of it", arguments: Method.all)
  func keys(_ method: Method) {
    let source = Sample.normal(4097)
    let compressor = method.make(source.count)
    let key = CompressionKey(seed: 3, step: 4, worker: 5, bucket: 6)
    let bytes = Message(compressor, source, key).bytes
    #expect(Message(method.make(source.count), source, key).bytes == bytes)
    let isStochastic = compressor is QSGD || compressor is TernGrad
    let others = [
      CompressionKey(seed: 2, step: 4, worker: 5, bucket: 6), CompressionKey(seed: 3, step: 5, worker: 5, bucket: 6),
      CompressionKey(seed: 3, step: 4, worker: 6, bucket: 6), CompressionKey(seed: 3, step: 4, worker: 5, bucket: 7),
    ]
    for other in others where isStochastic { #expect(Message(compressor, source, other).bytes != bytes) }
    if compressor is RandomK {
      #expect(Message(compressor, source, others[2]).bytes == bytes)
      #expect(Message(compressor, source, others[1]).bytes != bytes)
    }
  }

  @Test("Error feedback: what was sent and what is left are what came in", arguments: Method.all)
  func feedback(_ method: Method) {
    for count in [1, 17, 4097] {
      let compressor = method.make(count)
      let feedback = ErrorFeedback(count: count + 10)
      var sent = [Double](repeating: 0, count: count)
      var given = sent
      var (sentExactly, givenExactly) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
      var largest: Float = 0
      for step in 0..<20 {
        let gradient = Sample.whole(count, seed: UInt64(step))
        var message = Message(compressor, gradient)
        message.bytes.withUnsafeMutableBytes { bytes in
          gradient.withUnsafeBufferPointer { gradient in
            feedback.encode(
              gradient.baseAddress!, 7..<(7 + count), with: compressor, key: CompressionKey(seed: 1, step: step),
              into: bytes.baseAddress!)
          }
        }
        let decoded = message.decoded(compressor, count)
        for i in 0..<count {
          sent[i] += Double(decoded[i])
          given[i] += Double(gradient[i])
          sentExactly[i] += decoded[i]
          givenExactly[i] += gradient[i]
          largest = max(largest, abs(decoded[i]), abs(feedback.residual.base[7 + i]))
        }
      }
      let residual = (0..<count).map { feedback.residual.base[7 + $0] }
      #expect((0..<7).allSatisfy { feedback.residual.base[$0] == 0 })
      if method.isSparse {
        #expect(zip(sentExactly, residual).map { $0 + $1 } == givenExactly)
      }
      // Two roundings a step, each of at most half a unit in the last place of what was added.
      let bound = 2 * 20 * Double(largest) * 2 * 0x1p-24
      for i in 0..<count { #expect(abs(sent[i] + Double(residual[i]) - given[i]) <= bound) }
    }
  }
}
