import Compression
import Testing

@Suite("Signs, a bit each")
struct SignTests {
  static func source(_ count: Int, seed: UInt64 = 1) -> [Float] {
    Sample.whole(count, limit: 2, seed: seed).enumerated().map { $0 % 7 == 0 && $1 == 0 ? -0.0 : $1 }
  }

  @Test("Bit i mod 8 of byte i / 8 is 1 where a scalar is at least 0", arguments: Sample.counts)
  func packing(_ count: Int) {
    let source = Self.source(count)
    let message = Message(SignVote(), source)
    #expect((0..<count).allSatisfy { (message.code(byte: 4, bit: $0, width: 1) == 1) == (source[$0] >= 0) })
    #expect(message.decoded(SignVote(), count) == source.map { $0 < 0 ? -1 : 1 })
    #expect(message.float(0) == 1)
    let positives = message.bytes.withUnsafeBytes { SignBits.positives($0.baseAddress! + 4, count: count) }
    #expect(positives == source.count { $0 >= 0 })
  }

  @Test("The majority wins, a tie is +1", arguments: [1, 2, 3, 4, 5, 8], [1, 3, 16, 17, 257, 4097])
  func majority(_ voters: Int, _ count: Int) {
    let sources = (0..<voters).map { Self.source(count, seed: UInt64($0)) }
    let messages = sources.map { Message(SignVote(), $0) }
    var result = messages[0]
    let ballots: [UInt8] = messages.flatMap { (message: Message) -> [UInt8] in message.bytes + [0xFF] }
    ballots.withUnsafeBytes { ballots in
      result.bytes.withUnsafeMutableBytes {
        SignVote().majority(
          of: ballots.baseAddress!, stride: ballots.count / voters, voters: voters, count: count, into: $0.baseAddress!)
      }
    }
    let expected = (0..<count).map { i in
      sources.reduce(0) { $0 + ($1[i] >= 0 ? 1 : -1) }
    }
    #expect(result.decoded(SignVote(), count) == expected.map { $0 >= 0 ? 1 : -1 })

    var tally = [Int32](repeating: 0, count: count)
    for message in messages {
      message.bytes.withUnsafeBytes { SignBits.addVotes($0.baseAddress! + 4, count: count, to: &tally) }
    }
    #expect(tally.map { Int($0) } == expected)
  }

  @Test("A voter that is not finite makes the majority NaN")
  func poisoned() {
    let messages = [Message(SignVote(), [1, -1, 2]), Message(SignVote(), [1, .infinity, 2])]
    var result = messages[0]
    (messages[0].bytes + messages[1].bytes).withUnsafeBytes { ballots in
      result.bytes.withUnsafeMutableBytes {
        SignVote().majority(of: ballots.baseAddress!, stride: 5, voters: 2, count: 3, into: $0.baseAddress!)
      }
    }
    #expect(result.decoded(SignVote(), 3).allSatisfy { $0.isNaN })
  }

  @Test("Scales are the mean magnitude, and the means of the classes", arguments: Sample.counts)
  func scales(_ count: Int) {
    let source = Sample.normal(count)
    let mean = source.reduce(0.0) { $0 + abs(Double($1)) } / Double(max(1, count))
    let scaled = Message(ScaledSign(), source).decoded(ScaledSign(), count)
    #expect(zip(source, scaled).allSatisfy { abs(Double($1) - ($0 < 0 ? -mean : mean)) <= 1e-7 * mean })

    let (up, down) = (source.filter { $0 >= 0 }, source.filter { $0 < 0 })
    let upMean = up.reduce(0.0) { $0 + Double($1) } / Double(max(1, up.count))
    let downMean = down.reduce(0.0) { $0 + Double($1) } / Double(max(1, down.count))
    let classes = Message(ClassMeanSign(), source).decoded(ClassMeanSign(), count)
    #expect(zip(source, classes).allSatisfy { abs(Double($1) - ($0 < 0 ? downMean : upMean)) <= 1e-7 })
  }
}
