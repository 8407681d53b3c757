import Foundation
import Testing

@Suite("A batch normalisation of single values")
struct SingleValueTests {
  static let text = """
    name: a
    model: {layers: [flatten, {linear: 6}, {residual: [{linear: 6}, batch-norm]}, relu, {linear: 10}]}
    data: {name: digits, subset: 100}
    training: {steps: 1, batch: 8, shards: 8}

    """

  private func folder(_ training: String) throws -> CommandLineTool {
    let tool = try CommandLineTool()
    try tool.write(Self.text.replacing("{steps: 1, batch: 8, shards: 8}", with: training), to: "a.yaml")
    return tool
  }

  @Test("is exit 3 and names the layer")
  func refused() throws {
    let tool = try folder("{steps: 1, batch: 8, shards: 8}")
    try tool.run("train", "a.yaml").expectFailure(3, "layer 2.1", "1 sample", "training.batch", "training.shards")
    try tool.run("check", "a.yaml").expectFailure(3, "layer 2.1")
    try tool.run("simulate", "a.yaml", "--ranks", "4").expectFailure(3, "layer 2.1")
    try tool.mpirun(ranks: 2, "train", "a.yaml").expectFailure(3, "layer 2.1")
    #expect(tool.names() == ["a.yaml"])
  }

  @Test("where ranks are the shards, depends on how many there are")
  func ranks() throws {
    let tool = try folder("{steps: 1, batch: 4}")
    try tool.run("simulate", "a.yaml", "--ranks", "4").expectFailure(3, "layer 2.1")
    try tool.run("simulate", "a.yaml", "--ranks", "2", "--quiet").expectSuccess()
  }

  @Test("in the last batch of an epoch counts where training gets that far")
  func lastBatch() throws {
    // Of 100 samples the fourth batch has 16, two for each shard, or 10.
    for (training, isRefused) in [
      ("{steps: 4, batch: 28, shards: 8}", false), ("{steps: 4, batch: 30, shards: 8}", true),
      ("{steps: 3, batch: 30, shards: 8}", false),
    ] {
      let result = try folder(training).run("train", "a.yaml", "--quiet")
      if isRefused {
        result.expectFailure(3, "layer 2.1", "an epoch's last batch, 10 samples")
      } else {
        result.expectSuccess()
      }
    }
  }
}
