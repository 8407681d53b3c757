import Configuration
import Learning
import Tensors
import Testing
import Training

@Suite("Gradient noise")
struct GradientNoiseTests {
  static func draw(_ noise: GradientNoise, _ parts: [Range<Int>], count: Int, seed: UInt64 = 1, step: Int = 0)
    -> [Float]
  {
    let scalars = Storage(zeros: count)
    for part in parts { noise.add(to: scalars.base, part, seed: seed, step: step) }
    return Array(scalars.scalars)
  }

  @Test("is normal with the variance of its step", arguments: [0, 1, 99])
  func moments(_ step: Int) {
    let noise = GradientNoise(scale: 0.3, decay: 0.55)
    let count = 200_000
    let drawn = Self.draw(noise, [0..<count], count: count, step: step).map { Double($0) / noise.deviation(step: step) }
    func moment(_ power: Int) -> Double {
      drawn.reduce(0.0) { sum, x in sum + (0..<power).reduce(1.0) { product, _ in product * x } } / Double(count)
    }
    // Five standard errors of each moment of a normal sample.
    let error = 5 / Double(count).squareRoot()
    #expect(abs(moment(1)) < error)
    #expect(abs(moment(2) - 1) < error * 2.0.squareRoot())
    #expect(abs(moment(3)) < error * 15.0.squareRoot())
    #expect(abs(moment(4) - 3) < error * 96.0.squareRoot())
    let next = zip(drawn, drawn.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / Double(count)
    #expect(abs(next) < error, "neighbours are independent")
  }

  @Test("its variance falls by the power of the steps done")
  func decay() {
    let noise = GradientNoise(scale: 0.3, decay: 0.5)
    #expect(abs(noise.deviation(step: 0) - 0.3.squareRoot()) < 1e-12)
    #expect(abs(noise.deviation(step: 15) - (0.3 / 4).squareRoot()) < 1e-12)
  }

  @Test("is the same whatever parts it is added in, and differs by step and seed")
  func parts() {
    let noise = GradientNoise(scale: 1, decay: 0)
    let whole = Self.draw(noise, [0..<101], count: 101)
    #expect(Self.draw(noise, [0..<1, 1..<7, 7..<8, 50..<101, 8..<50, 9..<9], count: 101) == whole)
    #expect(Self.draw(noise, [0..<101], count: 101, step: 1) != whole)
    #expect(Self.draw(noise, [0..<101], count: 101, seed: 2) != whole)
    #expect(Set(whole).count == 101)
  }

  static let noisy = "{name: backpropagation, gradient-noise: {scale: 0.01}}"

  @Test("digests are those of one rank", arguments: ["allreduce", "zero", "hierarchical"], ["null", "0.5"])
  func ranks(_ strategy: String, _ clip: String) throws {
    let changes = ["training.clip=\(clip)"]
    let alone = try LearningRun.train(Self.noisy, changes).parametersDigest
    for ranks in [1, 2, 3] {
      let digest = try LearningRun.train(Self.noisy, ranks: ranks, changes + ["strategy=\(strategy)"]).parametersDigest
      #expect(digest == alone)
    }
    #expect(try LearningRun.train(Self.noisy, changes + ["compute.threads=2"]).parametersDigest == alone)
  }

  @Test("of scale 0 changes no bit, of another scale it does", arguments: ["backpropagation", "dgl", "drtp"])
  func nothing(_ rule: String) throws {
    let plain = try LearningRun.train(rule).parametersDigest
    #expect(try LearningRun.train("{name: \(rule), gradient-noise: {scale: 0}}").parametersDigest == plain)
    #expect(try LearningRun.train("{name: \(rule), gradient-noise: {scale: 1e-4}}").parametersDigest != plain)
  }

  @Test("is refused where there is no gradient of the whole batch")
  func refusals() throws {
    for changes in [["strategy={name: local-sgd}"], ["federated={}"]] {
      let error = try #require(throws: (any Error).self) {
        var node = try Node.parse(LearningRun.yaml + "learning: \(Self.noisy)\n", file: "noise.yaml")
        for change in changes {
          let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
          node = try node.setting(parts[0], to: parts[1], source: change)
        }
        if FederatedExperiment.isOne(node) { _ = try FederatedExperiment(node) } else { _ = try Experiment(node) }
      }
      #expect("\(error)".contains("learning.gradient-noise"), "\(error)")
    }
  }
}
