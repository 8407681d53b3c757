import Tensors
import Testing

@Suite("Centred kernel alignment")
struct KernelAlignmentTests {
  /// CKA of rows by its definition, over Float64.
  static func alignment(_ x: [Float], _ y: [Float], rows: Int) -> Double {
    func gram(_ scalars: [Float]) -> [Double] {
      let width = scalars.count / rows
      var centred = scalars.map(Double.init)
      for column in 0..<width {
        let mean = (0..<rows).reduce(0) { $0 + Double(scalars[$1 * width + column]) } / Double(rows)
        for row in 0..<rows { centred[row * width + column] -= mean }
      }
      return (0..<rows * rows).map { place -> Double in
        let (a, b) = (place / rows * width, place % rows * width)
        var sum = 0.0
        for column in 0..<width { sum += centred[a + column] * centred[b + column] }
        return sum
      }
    }
    func inner(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let (k, l) = (gram(x), gram(y))
    return inner(k, l) / (inner(k, k) * inner(l, l)).squareRoot()
  }

  static func run(_ x: Array32, _ guide: Array32, weight: Float = 1) -> Trial {
    Trial([x, guide]) { recorder, p in ([recorder.kernelAlignment(p[0], guide: p[1], weight: weight)], []) }
  }

  static let cases = [(2, 1, 1), (3, 4, 2), (5, 33, 7), (17, 6, 40), (32, 100, 100)]

  @Test("is the definition's, and its gradient that of differences", arguments: cases)
  func formula(_ rows: Int, _ width: Int, _ guideWidth: Int) {
    let (x, guide) = (Array32.random([rows, width], 1), Array32.random([rows, guideWidth], 2))
    let run = Self.run(x, guide, weight: 3)
    #expect(abs(run.metrics[0] - (1 - Self.alignment(x.scalars, guide.scalars, rows: rows))) < 1e-5)
    #expect(run.gradients[1].allSatisfy { $0 == 0 }, "the guide gets no gradient")
    let direction = Array32.random([rows, width], 3).scalars
    func moved(_ step: Float) -> Double {
      3 * (1 - Self.alignment(zip(x.scalars, direction).map { $0 + step * $1 }, guide.scalars, rows: rows))
    }
    let numeric = (moved(1e-3) - moved(-1e-3)) / 2e-3
    var slope = 0.0
    for (a, b) in zip(run.gradients[0], direction) { slope += Double(a) * Double(b) }
    #expect(abs(slope - numeric) < 2e-3 * max(abs(numeric), 0.05), "\(slope) against \(numeric)")
  }

  // numpy: x = arange(12).reshape(4, 3) % 5, y = arange(8).reshape(4, 2) % 3 as float64, columns centred, K = x @ x.T,
  // L = y @ y.T, (K * L).sum() / norm(K) / norm(L).
  @Test("is NumPy's")
  func reference() {
    let x = Array32([4, 3], (0..<12).map { Float($0 % 5) }), y = Array32([4, 2], (0..<8).map { Float($0 % 3) })
    #expect(abs(1 - Self.run(x, y).metrics[0] - 0.7153973843260916) < 1e-6)
  }

  @Test("does not change with rotation, scale and shift; one for itself")
  func invariance() {
    let x = Array32.random([9, 2], 4)
    let (c, s) = (Float(0.6), Float(0.8))
    let turned = (0..<9).flatMap { row -> [Float] in
      let (a, b) = (x.scalars[2 * row], x.scalars[2 * row + 1])
      let (first, second): (Float, Float) = (c * a - s * b, s * a + c * b)
      return [3 * first + 1, 3 * second - 2]
    }
    #expect(abs(Self.run(x, Array32([9, 2], turned)).metrics[0]) < 1e-5)
    #expect(Self.run(x, x).gradients[0].allSatisfy { abs($0) < 1e-5 })
  }

  @Test("one sample, or the same for all, aligns with nothing and moves nothing")
  func degenerate() {
    for (x, guide) in [
      (Array32.random([1, 5], 1), Array32.random([1, 5], 2)),
      (Array32([3, 2], [1, 2, 1, 2, 1, 2]), Array32.random([3, 4], 2)),
      (Array32.random([3, 4], 2), Array32([3, 2], [1, 2, 1, 2, 1, 2])),
    ] {
      let run = Self.run(x, guide)
      #expect(run.metrics[0] == 1)
      #expect(run.gradients[0].allSatisfy { $0 == 0 })
    }
  }

  @Test("NaN is reported")
  func nan() {
    var x = Array32.random([4, 3], 1)
    x.scalars[5] = .nan
    #expect(Self.run(x, Array32.random([4, 3], 2)).metrics[0].isNaN)
  }
}
