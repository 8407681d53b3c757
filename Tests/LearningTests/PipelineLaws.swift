import Communication
import Configuration
import Learning
import Testing
import Training

/// Modules on different ranks compute what they compute in one program.
@Suite("Laws of stages")
struct PipelineLaws {
  /// Rules whose modules can lie on different ranks, with options where a rule needs some.
  static let rules: [(rule: String, model: String)] = [
    ("dgl", convolutional), ("{name: auglocal, depth: 1}", convolutional), ("infopro", convolutional),
    ("man", convolutional), ("{name: man, host: infopro}", convolutional), ("drtp", convolutional),
    ("tpsgd", convolutional), ("{name: noprop, blocks: 3, units: 8}", convolutional),
    ("forward-forward", "{name: mlp, widths: [20, 19, 18]}"),
  ]

  /// Four blocks, with normalisation and dropout in some.
  static let convolutional = """
    {layers: [{convolution: {channels: 6, kernel: 3, padding: 1}}, batch-norm, relu, {convolution: {channels: 6, kernel: 3, \
    padding: 1}}, batch-norm, relu, {max-pool: 2}, flatten, {linear: 17}, relu, {dropout: 0.2}, {linear: 13}, relu, {linear: 10}]}
    """

  /// `{name: …, stages: n}`.
  static func staged(_ rule: String, _ stages: Int) -> String {
    rule.hasPrefix("{") ? "\(rule.dropLast()), stages: \(stages)}" : "{name: \(rule), stages: \(stages)}"
  }

  @Test("digests are those of one rank", arguments: rules)
  func digests(_ rule: String, _ model: String) throws {
    let changes = ["model=\(model)"]
    let alone = try LearningRun.train(rule, changes)
    for (ranks, stages) in [(2, 2), (4, 2), (3, 3)] {
      let staged = try LearningRun.train(PipelineLaws.staged(rule, stages), ranks: ranks, changes)
      #expect(staged.parametersDigest == alone.parametersDigest, "\(ranks) ranks, \(stages) stages")
      #expect(staged.accuracy == alone.accuracy)
    }
  }

  /// Batch normalisation in a head of rows would refuse shards of one sample.
  @Test(
    "batches of several parts, shards without samples and evaluations in between change nothing",
    arguments: ["{name: dgl, head: linear}"])
  func uneven(_ rule: String) throws {
    // The last of 45 batches of 7 has two samples for five shards.
    let changes = ["training.batch=7", "training.accumulate=2", "training.steps=30", "training.evaluate=5 steps"]
    let alone = try LearningRun.train(rule, changes)
    let staged = try LearningRun.train(PipelineLaws.staged(rule, 2), ranks: 4, changes)
    #expect(staged.parametersDigest == alone.parametersDigest)
  }

  @Test("three stages of three modules")
  func three() throws {
    let changes = ["model={name: mlp, widths: [20, 19, 18]}"]
    let alone = try LearningRun.train("dgl", changes)
    #expect(
      try LearningRun.train("{name: dgl, stages: 3}", ranks: 3, changes).parametersDigest == alone.parametersDigest)
  }

  @Test("what does not go with stages is refused before anything is computed")
  func refusals() throws {
    func message(_ learning: String, ranks: Int = 2, _ changes: [String] = []) -> String {
      do {
        _ = try LearningRun.train(learning, ranks: ranks, changes)
        return "trained"
      } catch { return "\(error)" }
    }
    #expect(message("{name: dgl, stages: 2}", ranks: 3).contains("does not divide 3 ranks"))
    #expect(message("{name: dgl, stages: 5}", ranks: 5).contains("makes 2 modules"))
    #expect(message("{name: backpropagation, stages: 2}").contains("leave out stages"))
    #expect(message("{name: dgl, stages: 2}", ["training.clip=1"]).contains("training.clip"))
    #expect(message("{name: dgl, stages: 2}", ["strategy=zero"]).contains("strategy: allreduce"))
    #expect(message("{name: dgl, stages: 2}", ["compute.threads=2"]).contains("compute.threads: 1"))
  }

  @Test("stages get consecutive modules, the slowest as little as can be")
  func cuts() {
    #expect(StageCut.cut([1, 1, 1, 1], into: 2) == [0..<2, 2..<4])
    #expect(StageCut.cut([5, 1, 1, 1], into: 2) == [0..<1, 1..<4])
    #expect(StageCut.cut([1, 1, 1, 5], into: 2) == [0..<3, 3..<4])
    #expect(StageCut.cut([3, 1, 4, 1, 5], into: 5) == [0..<1, 1..<2, 2..<3, 3..<4, 4..<5])
    #expect(StageCut.cut([7, 2, 5, 10, 8], into: 2) == [0..<3, 3..<5])
    #expect(StageCut.cut([2], into: 1) == [0..<1])
  }
}
