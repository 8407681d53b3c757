import Foundation
import Testing

@Suite("Values made again for the gradient")
struct RecomputationTests {
  static let recompute = ["--set", "training.recompute=true"]

  @Test("give the same bits", arguments: ["mlp", "cnn", "photographs", "gpt"])
  func digest(_ name: String) throws {
    let tool = try Experiments.folder()
    let kept = try tool.run("train", "\(name).yaml", "--json")
    kept.expectSuccess()
    #expect(kept.digest.count == 64)
    let again = try tool.run(["train", "\(name).yaml", "--json"] + RecomputationTests.recompute)
    again.expectSuccess()
    #expect(again.digest == kept.digest)
    #expect(again.json["loss"] as? Double == kept.json["loss"] as? Double)
    let shared = try tool.run(["simulate", "\(name).yaml", "--json", "--ranks", "3"] + RecomputationTests.recompute)
    #expect(shared.digest == kept.digest)
  }

  @Test("give the same bits in bfloat16", .enabled(if: PrecisionTests.isPossible), arguments: ["photographs", "gpt"])
  func rounded(_ name: String) throws {
    let tool = try Experiments.folder()
    let changes = PrecisionTests.bfloat16
    let kept = try tool.run(["train", "\(name).yaml", "--json"] + changes)
    let again = try tool.run(["train", "\(name).yaml", "--json"] + changes + RecomputationTests.recompute)
    again.expectSuccess()
    #expect(again.digest == kept.digest && kept.digest.count == 64)
  }
}
