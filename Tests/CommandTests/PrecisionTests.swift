import Foundation
import Testing

@Suite("bfloat16 in training")
struct PrecisionTests {
  /// Whether this processor multiplies bfloat16, as its own description has it.
  static var isPossible: Bool {
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains("avx512_bf16") == true
  }
  static let bfloat16 = ["--set", "compute.precision=bfloat16"]

  @Test(
    "gives the same bits on any number of ranks and threads, and others than Float32", .enabled(if: isPossible),
    arguments: ["mlp", "cnn", "gpt"])
  func digest(_ name: String) throws {
    let tool = try Experiments.folder()
    let exact = try tool.run("train", "\(name).yaml", "--json")
    let alone = try tool.run(["train", "\(name).yaml", "--json"] + PrecisionTests.bfloat16)
    exact.expectSuccess()
    alone.expectSuccess()
    #expect(alone.digest.count == 64 && alone.digest != exact.digest)
    for ranks in ["2", "3"] {
      let shared = try tool.run(["simulate", "\(name).yaml", "--json", "--ranks", ranks] + PrecisionTests.bfloat16)
      #expect(shared.digest == alone.digest)
    }
    let threads = try tool.run(
      ["train", "\(name).yaml", "--json", "--set", "compute.threads=2"] + PrecisionTests.bfloat16)
    #expect(threads.digest == alone.digest)
  }

  @Test("ends where Float32 ends, within noise", .enabled(if: isPossible))
  func accuracy() throws {
    let tool = try CommandLineTool()
    let configuration = CommandLineTool.repository.appendingPathComponent("configs/digits-mlp.yaml").path
    let results = try [[], PrecisionTests.bfloat16].map { try tool.run(["train", configuration, "--json"] + $0) }
    for result in results { result.expectSuccess() }
    let accuracies = try results.map { try #require($0.json["accuracy"] as? Double) }
    // Of 359 test samples, what two seeds differ by.
    #expect(abs(accuracies[0] - accuracies[1]) < 0.015)
    #expect(accuracies[1] > 0.95)
  }

  @Test("is refused with OpenBLAS, and where the processor cannot") func refusals() throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "a.yaml")
    try tool.run(["train", "a.yaml", "--set", "compute.backend=openblas"] + PrecisionTests.bfloat16)
      .expectFailure(3, "bfloat16", "openblas")
    let old = ["ONEDNN_MAX_CPU_ISA": "AVX512_CORE" as String?, "DNNL_MAX_CPU_ISA": "AVX512_CORE"]
    try tool.run(["train", "a.yaml"] + PrecisionTests.bfloat16, environment: old).expectFailure(
      1, "bfloat16", "float32")
    try tool.run("train", "a.yaml", "--set", "compute.precision=half").expectFailure(3, "half", "bfloat16")
  }

  @Test("leaves a check of gradients to Float32", .enabled(if: isPossible)) func gradients() throws {
    let tool = try Experiments.folder()
    try tool.run(["check", "mlp.yaml"] + PrecisionTests.bfloat16).expectSuccess()
  }
}
