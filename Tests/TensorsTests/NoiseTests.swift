import Foundation
import Tensors
import Testing

@Suite("Noise, and what denoising reads")
struct NoiseTests {
  @Test("random numbers are a function of seed, epoch and sample, normal or uniform")
  func randomNumbers() {
    func run(_ keys: [UInt64], epoch: UInt64 = 0) -> (normal: [Float], times: [Float], left: [Float]) {
      var settings = StatefulTrial.Settings()
      (settings.keys, settings.epoch) = (keys, epoch)
      let results = StatefulTrial([], settings) { recorder, _, _ in
        let normal = recorder.noise([3])
        let times = recorder.randomTimes()
        return ([], [normal, times.times, times.left])
      }.results
      return (results[0], results[1], results[2])
    }
    let keys = (0..<4000).map { UInt64($0) }
    let made = run(keys)
    let reversed = run(keys.reversed())
    #expect((0..<3).allSatisfy { made.normal[$0] == reversed.normal[3 * 3999 + $0] })
    #expect(made.times == reversed.times.reversed())
    #expect(run(keys, epoch: 1).normal != made.normal)
    let mean = made.normal.reduce(0, +) / 12000
    let square = made.normal.reduce(0) { $0 + $1 * $1 } / 12000
    #expect(abs(mean) < 0.05 && abs(square - 1) < 0.06)
    #expect(made.times.allSatisfy { $0 >= 0 && $0 < 1 } && abs(made.times.reduce(0, +) / 4000 - 0.5) < 0.03)
    #expect(zip(made.times, made.left).allSatisfy { $0 + $1 == 1 })
  }

  @Test("one-hot rows, and NaN for a class that is none")
  func oneHot() {
    var settings = StatefulTrial.Settings()
    (settings.keys, settings.targets) = ([0, 1, 2], [2, 0, 5])
    let made = StatefulTrial([], settings) { recorder, _, _ in
      ([], [recorder.oneHot(recorder.target([], .int32), classes: 3)])
    }.results[0]
    #expect(Array(made.prefix(6)) == [0, 0, 1, 1, 0, 0])
    #expect(made.suffix(3).allSatisfy { $0.isNaN })
  }

  @Test("softmax makes shares and has the gradient of differences", arguments: [1, 3, 10, 33])
  func softmax(_ width: Int) {
    let x = Array32.random([5, width], 1)
    let run = Harness([x]) { recorder, p in recorder.softmax(p[0]) }
    for row in 0..<5 {
      let scalars = x.scalars[row * width..<(row + 1) * width].map(Double.init)
      let total = scalars.reduce(0) { $0 + exp($1) }
      for (i, scalar) in scalars.enumerated() {
        #expect(abs(Double(run.output[row * width + i]) - exp(scalar) / total) < 1e-6)
      }
    }
    expectGradientsMatchDifferences([x]) { recorder, p in recorder.softmax(p[0]) }
    let large = Harness([Array32([2], [1e4, .nan])]) { recorder, p in recorder.softmax(p[0]) }
    #expect(large.output.allSatisfy { $0.isNaN })
  }

  @Test("rows are scaled, with gradients by rows and factors")
  func scaleRows() {
    let arrays = [Array32.random([4, 3, 5], 1), Array32.random([4], 2)]
    let run = Harness(arrays) { recorder, p in recorder.scaleRows(p[0], by: p[1]) }
    #expect(run.output == (0..<60).map { arrays[0].scalars[$0] * arrays[1].scalars[$0 / 15] })
    expectGradientsMatchDifferences(arrays) { recorder, p in recorder.scaleRows(p[0], by: p[1]) }
  }

  @Test("the squared norm is a loss with its gradient, scaled")
  func squaredNorm() {
    let x = Array32.random([7, 3], 1)
    var settings = StatefulTrial.Settings()
    settings.targetWeight = 0.5
    let run = StatefulTrial([x], settings) { recorder, p, _ in ([recorder.squaredNorm(p[0], weight: 3)], []) }
    #expect(abs(run.metrics[0] - x.scalars.reduce(0) { $0 + Double($1) * Double($1) }) < 1e-5)
    #expect(relativeError(run.gradients[0], x.scalars.map { 2 * 0.5 * 3 * $0 }) < 1e-6)
  }

  @Test("times become sines and cosines, with the gradient of differences")
  func timeEmbedding() {
    let times = Array32([3, 1], [0, 0.25, 0.9])
    let run = Harness([times]) { recorder, p in recorder.timeEmbedding(p[0], width: 6) }
    for (row, time) in [0, 0.25, 0.9].enumerated() {
      for i in 0..<3 {
        let angle = 1000 * Double(Float(time)) * pow(10000, -Double(i) / 3)
        #expect(abs(Double(run.output[6 * row + i]) - sin(angle)) < 1e-5)
        #expect(abs(Double(run.output[6 * row + 3 + i]) - cos(angle)) < 1e-5)
      }
    }
    expectGradientsMatchDifferences([times], step: 1e-4) { recorder, p in recorder.timeEmbedding(p[0], width: 6) }
  }

  @Test("a learned schedule rises between its ends, and its slope is that of its ratio of signal to noise")
  func schedule() {
    let weights = Array32.random([3, 8], 5)
    let times: [Float] = [0, 0.1, 0.3, 0.301, 0.7, 1]
    func run(_ times: [Float]) -> [[Float]] {
      StatefulTrial([weights]) { recorder, p, _ in
        let made = recorder.noiseSchedule(recorder.constants(times), p[0], from: 7, to: -7)
        return ([], [made.signal, made.noise, made.slope])
      }.results
    }
    let made = run(times)
    func share(_ gamma: Double) -> Double { 1 / (1 + exp(gamma)) }
    #expect(abs(Double(made[0][0]) - share(7).squareRoot()) < 1e-6)
    #expect(abs(Double(made[0][5]) - share(-7).squareRoot()) < 1e-6)
    #expect(zip(made[0], made[0].dropFirst()).allSatisfy { $0 < $1 })
    for i in times.indices { #expect(abs(made[0][i] * made[0][i] + made[1][i] * made[1][i] - 1) < 1e-6) }
    for time in [0.2, 0.5, 0.8] as [Float] {
      let near = run([time - 1e-2, time, time + 1e-2])
      func ratio(_ i: Int) -> Double { pow(Double(near[0][i]) / Double(near[1][i]), 2) }
      let slope = pow(Double(near[2][1]), 2)
      #expect(abs((ratio(2) - ratio(0)) / Double(2e-2) / slope - 1) < 2e-2)
    }
  }

  @Test("a learned schedule has the gradients of differences, through all it makes", arguments: 0..<4)
  func scheduleGradients(_ output: Int) {
    let weights = Array32.random([3, 5], 6)
    expectGradientsMatchDifferences([weights], step: 1e-3) { recorder, p in
      let made = recorder.noiseSchedule(recorder.constants([0.05, 0.4, 0.6, 0.9]), p[0], from: 3, to: -2)
      let all = [made.signal, made.noise, made.slope]
      return output < 3 ? all[output] : recorder.concatenate(all)
    }
  }

  @Test("the step from one level of noise to the next has the moments of samples")
  func posterior() {
    // z_1 from u, z_0 from z_1 as the forward process has it; then z_1 given z_0 and u is a u + b z_0 + √c ε.
    let (before, after, u) = (0.2, 0.7, 1.5)
    let factors = PosteriorFactors(
      before: (before.squareRoot(), (1 - before).squareRoot()), after: (after.squareRoot(), (1 - after).squareRoot()))
    var random = RandomStream(seed: 11, .test)
    let ratio = before / after
    var (error, square, cross) = (0.0, 0.0, 0.0)
    let count = 200_000
    for _ in 0..<count {
      let z1 = after.squareRoot() * u + (1 - after).squareRoot() * random.normalDouble()
      let z0 = ratio.squareRoot() * z1 + (1 - ratio).squareRoot() * random.normalDouble()
      let residual = z1 - factors.guess * u - factors.state * z0
      error += residual
      square += residual * residual
      cross += residual * z0
    }
    // The residual has mean 0, variance c, and nothing left of z_0.
    #expect(abs(error / Double(count)) < 5e-3)
    #expect(abs(square / Double(count) - factors.variance) < 5e-3)
    #expect(abs(cross / Double(count)) < 5e-3)
  }

  @Test("steps of a program are those of the factors, without and with noise")
  func posteriorStep() {
    let arrays = [Array32.random([2, 3], 1), Array32.random([2, 3], 2), Array32.random([2, 3], 3)]
    let shares = [0.1, 0.4, 0.8]
    let run = StatefulTrial(arrays) { recorder, p, _ in
      let signals = recorder.constants(shares.map { Float($0.squareRoot()) })
      let noises = recorder.constants(shares.map { Float((1 - $0).squareRoot()) })
      func step(_ noise: Value?) -> Value {
        recorder.posteriorStep(p[0], p[1], step: 2, signals: signals, noises: noises, noise: noise)
      }
      return ([], [step(nil), step(p[2])])
    }
    let factors = PosteriorFactors(
      before: (0.4.squareRoot(), 0.6.squareRoot()), after: (0.8.squareRoot(), 0.2.squareRoot()))
    for i in 0..<6 {
      let mean = factors.guess * Double(arrays[0].scalars[i]) + factors.state * Double(arrays[1].scalars[i])
      #expect(abs(Double(run.results[0][i]) - mean) < 1e-5)
      let sample = mean + factors.variance.squareRoot() * Double(arrays[2].scalars[i])
      #expect(abs(Double(run.results[1][i]) - sample) < 1e-5)
    }
  }

  @Test(
    "orthogonal initial values are orthonormal along the shorter axis", arguments: [(4, 9), (9, 4), (5, 5), (1, 3)])
  func orthogonal(_ rows: Int, _ columns: Int) {
    var scope = ParameterScope()
    let parameter = scope.parameter("p", [rows, columns], .orthogonal(rows: rows, columns: columns))
    let layout = scope.layout
    let store = ParameterStore(layout)
    layout.initialise(store, seed: 5)
    let w = store.parameters.scalars[parameter.range].map(Double.init)
    let (count, width) = (min(rows, columns), max(rows, columns))
    func entry(_ vector: Int, _ i: Int) -> Double {
      rows <= columns ? w[vector * columns + i] : w[i * columns + vector]
    }
    for a in 0..<count {
      for b in 0..<count {
        let product = (0..<width).reduce(0) { $0 + entry(a, $1) * entry(b, $1) }
        #expect(abs(product - (a == b ? 1 : 0)) < 1e-6)
      }
    }
  }
}
