import Foundation
import Testing

@Suite("Benchmarks")
struct BenchTests {
  static let stepKeys = [
    "name", "model", "batch", "ranks", "threads", "backend", "shards", "parameters", "steps", "median_seconds",
    "minimum_seconds", "samples_per_second", "flops", "gflops", "limit_gflops", "fraction_of_limit", "pool_bytes",
    "peak_memory_bytes", "allocations_per_step", "library_allocations_per_step",
  ]

  private func number(_ json: [String: Any], _ key: String) -> Double { (json[key] as? NSNumber)?.doubleValue ?? .nan }

  @Test("A step says everything about itself, in numbers that fit each other")
  func step() throws {
    let result = try CommandLineTool().run("bench", "step", "--batch", "32", "--seconds", "0.02", "--json")
    result.expectSuccess()
    let json = result.json
    #expect(result.outputLines.count == 1)
    for key in BenchTests.stepKeys { #expect(json[key] != nil, "\(key)") }
    #expect(json["model"] as? String == "mlp")
    #expect(json["batch"] as? Int == 32)
    #expect(json["parameters"] as? Int == 669_706)
    #expect(number(json, "steps") >= 10)
    #expect(number(json, "minimum_seconds") <= number(json, "median_seconds"))
    // Two operations a weight and sample forward, four backward, but none into the samples.
    let products = 2 * 32 * (3 * (784 * 512 + 512 * 512 + 512 * 10) - 784 * 512)
    #expect(number(json, "flops") >= Double(products))
    #expect(number(json, "flops") < 1.02 * Double(products))
    let rate = number(json, "samples_per_second") * number(json, "median_seconds")
    #expect(abs(rate - 32) < 1e-6)
    let fraction = number(json, "gflops") / number(json, "limit_gflops")
    #expect(abs(fraction - number(json, "fraction_of_limit")) < 1e-9)
  }

  @Test("Ranks multiply samples and arithmetic", arguments: [1, 3])
  func ranks(_ ranks: Int) throws {
    let tool = try CommandLineTool()
    try tool.write(CommandLineTool.digits, to: "digits.yaml")
    let result = try tool.run(
      "bench", "step", "--config", "digits.yaml", "--set", "training.shards=ranks", "--batch", "10", "--ranks",
      "\(ranks)", "--seconds", "0.02", "--json")
    result.expectSuccess()
    #expect(result.json["ranks"] as? Int == ranks)
    #expect(result.json["batch"] as? Int == 10)
    let rate = number(result.json, "samples_per_second") * number(result.json, "median_seconds")
    #expect(abs(rate - Double(10 * ranks)) < 1e-6)
    let alone = number(result.json, "flops") / Double(ranks)
    // 64-16-10: the weight gradient of the first layer, the second both ways.
    #expect(abs(alone / Double(2 * 10 * (2 * 64 * 16 + 3 * 16 * 10)) - 1) < 0.1)
  }

  @Test("Under mpirun all ranks are timed, and one reports")
  func mpi() throws {
    let result = try CommandLineTool().mpirun(
      ranks: 2, "bench", "step", "--batch", "8", "--seconds", "0.02", "--json")
    result.expectSuccess()
    #expect(result.outputLines.count == 1)
    #expect(result.json["ranks"] as? Int == 2)
    #expect(result.json["batch"] as? Int == 8)
  }

  @Test("A profile shows every operation, and shares that make a whole", arguments: ["--profile", "--layers"])
  func profile(_ flag: String) throws {
    let tool = try CommandLineTool()
    try tool.write(Experiments.cnn, to: "cnn.yaml")
    try GeneratedData.writeIDX(tool)
    let words = ["bench", "step", "--config", "cnn.yaml", "--seconds", "0.02", flag]
    let result = try tool.run(words + ["--json"])
    result.expectSuccess()
    let rows = result.json["profile"] as? [[String: Any]] ?? []
    let names = rows.compactMap { $0["operation"] as? String }
    for name in [
      "convolution", "convolution weight gradient", "convolution input gradient", "batch norm", "batch norm gradient",
      "max pool", "max pool gradient", "flatten", "flatten gradient", "dropout", "dropout gradient", "linear",
      "linear weight gradient", "linear input gradient", "bias gradient", "softmax cross entropy", "update",
    ] { #expect(names.contains(name), "no \(name) in \(names)") }
    let share = rows.reduce(0) { $0 + number($1, "share") }
    #expect(abs(share - 1) < 1e-9)
    for row in rows {
      for key in ["count", "seconds", "share", "gflops", "gigabytes_per_second", "bound", "fraction_of_limit"] {
        #expect(row[key] != nil, "\(key) of \(row)")
      }
    }
    if flag == "--layers" {
      #expect(rows.contains { $0["layer"] as? String == "3.0" || ($0["layer"] as? String ?? "").contains(".") })
      #expect(names.filter { $0 == "convolution" }.count == 2)
    } else {
      #expect(Set(names).count == names.count)
    }
    let text = try tool.run(words)
    text.expectSuccess()
    // What the operations leave of a step can be nothing in one of two runs.
    for name in names where name != "sums and exchange" { #expect(text.output.contains("\n" + name), "\(name)") }
  }

  @Test("Published data sets need not be there: only their shapes are used")
  func shapes() throws {
    let tool = try CommandLineTool()
    try tool.write("model: {name: mlp, widths: [4]}\ndata: cifar100\ntraining: {batch: 3}\n", to: "a.yaml")
    let result = try tool.run("bench", "step", "--config", "a.yaml", "--seconds", "0.01", "--json")
    result.expectSuccess()
    #expect(result.json["parameters"] as? Int == 3072 * 4 + 4 + 4 * 100 + 100)
  }

  @Test(
    "A steady step allocates nothing",
    arguments: [
      ["--model", "mlp"], ["--model", "cnn", "--batch", "4"], ["--model", "gpt", "--batch", "2"],
      ["--model", "mlp", "--set", "compute.threads=2"],
      ["--model", "mlp", "--set", "training={shards: 7, accumulate: 2, clip: 1, batch: 35}"],
      ["--model", "mlp", "--set", "optimizer=lars"], ["--model", "mlp", "--backend", "openblas"],
    ])
  func allocations(_ flags: [String]) throws {
    let tool = try CommandLineTool()
    let script = CommandLineTool.repository.appendingPathComponent("launch/count-allocations").path
    let result = try tool.run(
      program: [script, CommandLineTool.executable().path, "bench", "step", "--seconds", "0.02", "--json"] + flags)
    result.expectSuccess()
    #expect(number(result.json, "allocations_per_step") == 0, "\(result.json)")
    #expect(number(result.json, "library_allocations_per_step") >= 0)
  }

  @Test("Counting finds the allocations of a program that makes some")
  func counting() throws {
    let tool = try CommandLineTool()
    let plain = try tool.run("bench", "step", "--batch", "2", "--seconds", "0.01", "--json")
    plain.expectSuccess()
    #expect(plain.json["allocations_per_step"] is NSNull)
    try tool.write(
      """
      #include <stdio.h>
      #include <stdlib.h>
      long nndist_allocations(int) __attribute__((weak));
      int main(void) {
        long before = nndist_allocations(0);
        for (int i = 0; i < 5; i++) free(malloc(i + 1));
        printf("%ld\\n", nndist_allocations(0) - before);
      }
      """, to: "five.c")
    try tool.run(program: ["/usr/bin/env", "gcc", "-fno-builtin", "-fPIE", "-o", "five", "five.c"]).expectSuccess()
    let script = CommandLineTool.repository.appendingPathComponent("launch/count-allocations").path
    let result = try tool.run(program: [script, tool.path("five")])
    result.expectSuccess()
    #expect(result.outputLines.first == "5")
  }

  @Test("Products and memory: a line each, whose numbers fit each other")
  func machine() throws {
    let tool = try CommandLineTool()
    let products = try tool.run("bench", "gemm", "--seconds", "0.001", "--json")
    products.expectSuccess()
    let memory = try tool.run("bench", "memory", "--seconds", "0.001", "--json")
    memory.expectSuccess()
    #expect(products.outputLines.count >= 10)
    #expect(memory.outputLines.count == 4 * 14)
    for line in products.outputLines + memory.outputLines {
      let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      let name = json["name"] as? String ?? ""
      #expect(["gemm", "gemm-limit", "memory"].contains(name))
      let seconds = number(json, "minimum_seconds")
      #expect(seconds > 0 && seconds <= number(json, "median_seconds"))
      if name.hasPrefix("gemm") {
        let flops = 2 * number(json, "m") * number(json, "n") * number(json, "k")
        #expect(abs(flops / seconds * 1e-9 / number(json, "gflops") - 1) < 1e-6)
      } else {
        #expect(abs(number(json, "bytes") / seconds * 1e-9 / number(json, "gigabytes_per_second") - 1) < 1e-6)
      }
    }
    let table = try tool.run("bench", "gemm", "--seconds", "0.001")
    table.expectSuccess()
    #expect(table.output.contains("limit"))
  }

  @Test("All-reduce: a line for each size, which names the transport", arguments: ["threads", "window", "messages"])
  func allReduce(transport: String) throws {
    let tool = try CommandLineTool()
    let result =
      transport == "threads"
      ? try tool.run("bench", "allreduce", "--type", "int16", "--json")
      : try tool.mpirun(
        ranks: 2, "bench", "allreduce", "--type", "int16", "--json", "--transport", transport)
    result.expectSuccess()
    var bytes = 4
    for line in result.outputLines {
      let json = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      #expect(json["name"] as? String == "allreduce" && json["type"] as? String == "Int16")
      #expect(json["bytes"] as? Int == bytes && json["ranks"] as? Int == 2)
      #expect(json["transport"] as? String == transport)
      #expect(number(json, "minimum_seconds") > 0)
      #expect(number(json, "minimum_seconds") <= number(json, "median_seconds"))
      bytes *= 4
    }
    #expect(bytes == 4 * 64 << 20)
  }

  @Test(
    "Bad input is refused in one line",
    arguments: [
      (["bench"], 2, "expected"), (["bench", "stpe"], 2, "`stpe`"), (["bench", "step", "--batch", "0"], 2, "--batch"),
      (["bench", "step", "--batch", "many"], 2, "--batch"), (["bench", "step", "--ranks", "0"], 2, "--ranks"),
      (["bench", "step", "--seconds", "-1"], 2, "--seconds"), (["bench", "step", "--seconds", "nan"], 2, "--seconds"),
      (["bench", "step", "--backend", "mkl"], 2, "--backend"), (["bench", "gemm", "--model", "mlp"], 2, "--model"),
      (["bench", "memory", "--set", "a=1"], 2, "--set"), (["bench", "step", "--model", "mpl"], 3, "`mlp`"),
      (["bench", "allreduce", "--type", "text"], 2, "`text`"), (["bench", "allreduce", "--batch", "3"], 2, "--batch"),
      (["bench", "allreduce", "--transport", "window"], 2, "--transport"),
      (["bench", "step", "--config", "none.yaml"], 3, "none.yaml"),
      (["bench", "step", "--config", "a.yaml", "--model", "mlp"], 2, "--model"),
      (["bench", "step", "--set", "training.bacth=3"], 3, "`batch`"),
      (["bench", "step", "--set", "data={format: csv, path: none.csv}"], 4, "none.csv"),
    ])
  func refusals(_ words: [String], _ code: Int32, _ named: String) throws {
    try CommandLineTool().run(words).expectFailure(code, named)
  }
}
