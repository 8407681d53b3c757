import Tensors
import Testing

@Suite("Signals from targets")
struct LocalSignalTests {
  static func settings(_ rows: Int, _ targets: [UInt32]) -> Trial.Settings {
    var settings = Trial.Settings()
    settings.keys = (0..<UInt64(rows)).map { $0 }
    settings.targets = targets
    settings.targetWeight = 0.25
    return settings
  }

  @Test(
    "a projection is the sum of the rows that one-hot targets choose, repeated and scaled",
    arguments: [(1, 1, 2, 1, 1), (5, 1, 3, 17, 1), (4, 3, 2, 8, 1), (3, 1, 10, 33, 4), (2, 2, 3, 5, 3)])
  func classes(_ rows: Int, _ terms: Int, _ outputs: Int, _ width: Int, _ repeats: Int) {
    let matrix = Array32.random([terms * outputs, width], 1)
    // Such as have no class have no code.
    let labels = (0..<rows * terms).map { $0 % 4 == 3 ? -1 : Int32(($0 * 7 + 1) % outputs) }
    for factor in [nil, 0.5 as Float] {
      let run = Trial([matrix], Self.settings(rows, labels.words)) { recorder, p in
        let targets = recorder.target(terms == 1 ? [] : [terms], .int32)
        return ([], [recorder.projection(of: targets, p[0], rows: rows, repeats: repeats, factor: factor)])
      }
      var wanted: [Float] = []
      for row in 0..<rows {
        var sum = [Float](repeating: 0, count: width)
        for term in 0..<terms {
          if labels[row * terms + term] < 0 { continue }
          let code = term * outputs + Int(labels[row * terms + term])
          for column in 0..<width { sum[column] += matrix.scalars[code * width + column] * (factor == nil ? 1 : 0.125) }
        }
        for _ in 0..<repeats { wanted += sum }
      }
      #expect(relativeError(run.results[0], wanted) < 1e-6)
    }
  }

  @Test("rows without class become zeros, the others stay", arguments: [(1, 1), (4, 3), (7, 16)])
  func rowsWithClass(_ rows: Int, _ width: Int) {
    let x = Array32.random([rows, width], 1)
    let labels = (0..<rows).map { $0 % 3 == 0 ? -1 : Int32($0) }
    let run = Trial([x], Self.settings(rows, labels.words)) { recorder, p in
      ([], [recorder.rowsWithClass(p[0], recorder.target([], .int32))])
    }
    #expect(run.results[0] == x.scalars.indices.map { labels[$0 / width] < 0 ? 0 : x.scalars[$0] })
  }

  @Test(
    "a projection of values is a product", arguments: [(1, 2, 3, 1), (6, 5, 17, 1), (3, 4, 9, 5)],
    Compute.Backend.allCases)
  func values(_ size: (Int, Int, Int, Int), _ backend: Compute.Backend) throws {
    let (rows, outputs, width, repeats) = size
    let (matrix, targets) = (Array32.random([outputs, width], 1), Array32.random([rows, outputs], 2).scalars)
    var settings = Self.settings(rows, targets.words)
    settings.compute = Compute(backend: backend)
    try settings.compute.check()
    let run = Trial([matrix], settings) { recorder, p in
      let targets = recorder.target([outputs], .float32)
      return ([], [recorder.projection(of: targets, p[0], rows: rows, repeats: repeats, factor: 2)])
    }
    var wanted = [Float](repeating: 0, count: rows * repeats * width)
    for place in wanted.indices {
      let (row, column) = (place / width / repeats, place % width)
      for code in 0..<outputs {
        wanted[place] += 0.5 * targets[row * outputs + code] * matrix.scalars[code * width + column]
      }
    }
    #expect(relativeError(run.results[0], wanted) < 1e-6)
  }

  @Test("differences and signs are scaled by the target weight; NaN stays NaN")
  func signals() {
    let x = Array32([1, 5], [1, -2, 0.5, 3, .nan]), t = Array32([1, 5], [0, -1, 0.5, 5, 1])
    let run = Trial([x, t], Self.settings(1, [0])) { recorder, p in
      (
        [],
        [
          recorder.squaredDistanceGradient(p[0], p[1], factor: 2), recorder.distanceGradient(p[0], p[1]),
          recorder.sign(p[0], factor: 4),
        ]
      )
    }
    #expect(Array(run.results[0][..<4]) == [0.5, -0.5, 0, -1])
    #expect(Array(run.results[1][..<4]) == [0.25, -0.25, 0, -0.25])
    #expect(Array(run.results[2][..<4]) == [1, -1, 1, 1])
    #expect(run.results.allSatisfy { $0[4].isNaN })
  }

  @Test("errors go through a matrix as rows", arguments: [Compute.Precision.float32, .bfloat16])
  func errors(_ precision: Compute.Precision) {
    let (error, matrix) = (Array32.random([2, 3, 4], 1), Array32.random([4, 9], 2))
    var settings = Trial.Settings()
    settings.compute = Compute(precision: precision)
    let run = Trial([error, matrix], settings) { recorder, p in
      ([], [recorder.projection(ofError: p[0], p[1])])
    }
    var wanted = [Float](repeating: 0, count: 54)
    for place in 0..<54 {
      let (row, column) = (place / 9, place % 9)
      for code in 0..<4 { wanted[place] += error.scalars[row * 4 + code] * matrix.scalars[code * 9 + column] }
    }
    #expect(relativeError(run.results[0], wanted) < (precision == .float32 ? 1e-6 : 1e-2))
  }
}
