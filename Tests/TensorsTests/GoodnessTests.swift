import Foundation
import Tensors
import Testing

@Suite("Goodness")
struct GoodnessTests {
  /// Activities of positive and negative rows in turn, some of them 0.
  struct Case: Sendable, CustomTestStringConvertible {
    let rows: Int
    let positions: Int
    let width: Int
    var testDescription: String { "\(rows) rows of \(positions) × \(width)" }
    var size: Int { positions * width }
    var activities: Array32 {
      let random = Array32.random([rows, positions, width], 1)
      return Array32(random.shape, random.scalars.map { max($0, 0) })
    }
    var means: Array32 { Array32([width], (0..<width).map { 0.5 + 0.1 * Float($0 % 5) }) }
  }

  static let cases = [(2, 1, 3), (6, 1, 33), (4, 9, 5), (8, 4, 16)].map {
    Case(rows: $0.0, positions: $0.1, width: $0.2)
  }

  static func run(_ sample: Case, peer: Float, masked: Bool = false) -> StatefulTrial {
    var settings = StatefulTrial.Settings()
    settings.keys = (0..<UInt64(sample.rows / 2)).map { $0 }
    settings.targetWeight = 0.25
    settings.share = 0.5
    return StatefulTrial([sample.activities], states: [sample.means], settings) { recorder, p, states in
      let gradient = recorder.goodnessLoss(
        recorder.detach(p[0]), means: states[0], GoodnessOptions(peer: peer, momentum: 0.1, isMasked: masked))
      return ([], [gradient, recorder.goodness(recorder.detach(p[0]))])
    }
  }

  @Test("is the sum of squares less the width, and its loss and gradient are those of the formulas", arguments: cases)
  func formula(_ sample: Case) {
    let (h, means) = (sample.activities.scalars.map(Double.init), sample.means.scalars.map(Double.init))
    let mean = means.reduce(0, +) / Double(sample.width)
    for (peer, masked) in [(0, false), (0.3, false), (0.3, true)] as [(Float, Bool)] {
      let run = Self.run(sample, peer: peer, masked: masked)
      var loss = 0.0
      var expected = [Float](repeating: 0, count: h.count)
      for row in 0..<sample.rows {
        let scalars = row * sample.size..<(row + 1) * sample.size
        let squares = scalars.reduce(0) { $0 + h[$1] * h[$1] }
        let logit = (squares - Double(sample.size)) / Double(sample.positions)
        #expect(abs(Double(run.results[1][row]) - logit) <= 1e-5 * max(1, abs(logit)))
        let label = row % 2 == 0 ? 1.0 : 0.0
        loss += 0.5 * (max(logit, 0) - label * logit + log1p(exp(-abs(logit))))
        // d/dh of ½ BCE(Σ h² / positions), scaled by the target weight.
        let slope = 0.25 * 0.5 * (1 / (1 + exp(-logit)) - label) * 2 / Double(sample.positions)
        for i in scalars {
          let unit = i % sample.width
          // d/dh of peer · mean_j (mean(m) − m_j)² with m_j moving by 0.1 of the mean of h over samples and positions.
          let pull =
            0.25 * Double(peer) * 2 / Double(sample.width) * (means[unit] - mean) * 0.1 / Double(sample.positions)
          expected[i] = Float(slope * h[i] + (label == 1 && !(masked && h[i] == 0) ? pull : 0))
        }
      }
      #expect(abs(run.metrics[0] - loss) < 1e-5 * loss)
      #expect(relativeError(run.results[0], expected) < 1e-5)
      for unit in 0..<sample.width {
        let positive = stride(from: 0, to: sample.rows, by: 2).flatMap { row in
          (0..<sample.positions).map { h[row * sample.size + $0 * sample.width + unit] }
        }
        let mean = 0.5 * positive.reduce(0, +) / Double(positive.count)
        #expect(abs(Double(run.statistics[0][unit]) - mean) < 1e-5)
      }
    }
  }

  @Test("rows are divided by the root of their mean square")
  func norm() {
    let x = Array32.random([3, 2, 7], 4)
    let run = StatefulTrial([x]) { recorder, p, _ in ([], [recorder.rootMeanSquareNorm(recorder.detach(p[0]))]) }
    for row in 0..<3 {
      let scalars = x.scalars[row * 14..<(row + 1) * 14]
      let root = (scalars.reduce(0) { $0 + Double($1) * Double($1) } / 14).squareRoot()
      for (made, scalar) in zip(run.results[0][row * 14..<(row + 1) * 14], scalars) {
        #expect(abs(Double(made) - Double(scalar) / root) < 1e-6)
      }
    }
    let zeros = StatefulTrial([Array32([1, 4], [0, 0, 0, 0])]) { recorder, p, _ in
      ([], [recorder.rootMeanSquareNorm(recorder.detach(p[0]))])
    }
    #expect(zeros.results[0] == [0, 0, 0, 0])
  }
}
