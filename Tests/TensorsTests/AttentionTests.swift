import Tensors
import Testing

@Suite("Attention")
struct AttentionTests {
  static let backends = Compute.Backend.allCases

  @Test(arguments: Goldens.of("attention"), backends)
  func agreesWithPyTorch(_ golden: Golden, _ backend: Compute.Backend) throws {
    let compute = Compute(backend: backend)
    try compute.check()
    let run = Harness([golden["x"]], weights: golden["dy"].scalars, compute: compute) { recorder, p in
      recorder.attention(p[0], heads: golden.integer("heads"), causal: golden.flag("causal"))
    }
    #expect(relativeError(run.output, golden["y"].scalars) < 2e-6)
    #expect(relativeError(run.gradients[0], golden["dx"].scalars) < 2e-6)
  }

  @Test(arguments: [(1, 1, 3, 3), (2, 7, 10, 2), (1, 64, 8, 1), (2, 65, 6, 2), (1, 150, 5, 1)], [true, false])
  func gradientsMatchDifferences(_ size: (Int, Int, Int, Int), _ causal: Bool) {
    let (batch, time, width, heads) = size
    expectGradientsMatchDifferences([.random([batch, time, 3 * width], 1)]) { recorder, p in
      recorder.attention(p[0], heads: width % heads == 0 ? heads : 1, causal: causal)
    }
  }

  /// The definition in Float64.
  static func naive(_ packed: Array32, heads: Int, causal: Bool) -> [Float] {
    let (batch, time, width) = (packed.shape[0], packed.shape[1], packed.shape[2] / 3)
    let d = width / heads
    var y = [Float](repeating: 0, count: batch * time * width)
    for b in 0..<batch {
      for h in 0..<heads {
        func at(_ t: Int, _ part: Int, _ i: Int) -> Double {
          Double(packed.scalars[(b * time + t) * 3 * width + part * width + h * d + i])
        }
        for t in 0..<time {
          let keys = causal ? t + 1 : time
          let scores = (0..<keys).map { s in
            (0..<d).reduce(0) { $0 + at(t, 0, $1) * at(s, 1, $1) } / Double(d).squareRoot()
          }
          let top = scores.max() ?? 0
          let weights = scores.map { exponential($0 - top) }
          let sum = weights.reduce(0, +)
          for i in 0..<d {
            y[(b * time + t) * width + h * d + i] = Float(
              (0..<keys).reduce(0) { $0 + weights[$1] * at($1, 2, i) } / sum)
          }
        }
      }
    }
    return y
  }

  @Test(arguments: [(2, 64, 32, 4), (1, 200, 12, 2), (3, 129, 7, 1)], [true, false])
  func agreesWithTheDefinitionAcrossBlocks(_ size: (Int, Int, Int, Int), _ causal: Bool) {
    let (batch, time, width, heads) = size
    let packed = Array32.random([batch, time, 3 * width], 3)
    let run = Harness([packed]) { recorder, p in recorder.attention(p[0], heads: heads, causal: causal) }
    #expect(relativeError(run.output, Self.naive(packed, heads: heads, causal: causal)) < 2e-6)
  }

  @Test(arguments: [5, 64, 100])
  func aCausalPositionDependsOnNothingLater(_ time: Int) {
    let packed = Array32.random([1, time, 24], 5)
    let whole = Harness([packed]) { recorder, p in recorder.attention(p[0], heads: 2, causal: true) }
    var changed = packed
    let position = time / 2
    for i in (position + 1) * 24..<time * 24 { changed.scalars[i] *= -3 }
    let other = Harness([changed]) { recorder, p in recorder.attention(p[0], heads: 2, causal: true) }
    #expect(other.output[..<((position + 1) * 8)] == whole.output[..<((position + 1) * 8)])
    #expect(other.output[((position + 1) * 8)...] != whole.output[((position + 1) * 8)...])
  }

  @Test(arguments: [true, false])
  func aSampleIsIndependentOfItsBatchToTheBit(_ causal: Bool) {
    let packed = Array32.random([3, 70, 24], 6)
    let dy = Array32.random([3, 70, 8], 7).scalars
    let together = Harness([packed], weights: dy) { $0.attention($1[0], heads: 2, causal: causal) }
    for sample in 0..<3 {
      let inputs = sample * 70 * 24..<(sample + 1) * 70 * 24, outputs = sample * 70 * 8..<(sample + 1) * 70 * 8
      let alone = Harness([Array32([1, 70, 24], Array(packed.scalars[inputs]))], weights: Array(dy[outputs])) {
        $0.attention($1[0], heads: 2, causal: causal)
      }
      #expect(alone.output == Array(together.output[outputs]))
      #expect(alone.gradients[0] == Array(together.gradients[0][inputs]))
    }
  }

  @Test func largeScoresDoNotOverflow() {
    var packed = Array32.random([1, 9, 12], 4)
    for i in packed.scalars.indices { packed.scalars[i] *= 100 }
    let run = Harness([packed]) { recorder, p in recorder.attention(p[0], heads: 2, causal: true) }
    #expect(relativeError(run.output, Self.naive(packed, heads: 2, causal: true)) < 1e-4)
    #expect(run.gradients[0].allSatisfy { $0.isFinite })
  }

  @Test(arguments: [0, 1, 2], [Float.nan, .infinity])
  func nanAndInfinityShow(_ part: Int, _ value: Float) {
    var packed = Array32.random([1, 70, 12], 4)
    // The third position of one part of the first head; later positions see it.
    packed.scalars[2 * 12 + part * 4] = value
    let run = Harness([packed]) { recorder, p in recorder.attention(p[0], heads: 2, causal: true) }
    #expect(!run.output[2 * 4].isFinite)
    #expect(run.gradients[0].contains { !$0.isFinite })
    // An infinite key hides itself from queries of the other sign, as it should.
    if part == 2 || part == 1 && value.isNaN { #expect(!run.output[69 * 4].isFinite) }
    #expect((0..<70).allSatisfy { run.output[$0 * 4 + 2].isFinite }, "the other head is untouched")
  }
}
