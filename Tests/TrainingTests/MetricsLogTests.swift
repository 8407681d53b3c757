import Foundation
import Testing
import Training

@Suite("Metrics are whole lines of JSON, each step once")
struct MetricsLogTests {
  let folder: PersistenceFolder
  var path: String { "\(folder.path)/metrics.jsonl" }

  init() throws { folder = try PersistenceFolder() }

  func line(_ step: Int) -> Metrics {
    var line = Metrics()
    line.step = step
    line.loss = 1 / Double(step)
    return line
  }

  func steps() throws -> [Int] {
    try folder.text("metrics.jsonl").split(separator: "\n").map { text in
      let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
      return try #require(object?["step"] as? Int)
    }
  }

  @Test func keysHaveTheOrderOfTheContract() throws {
    var line = Metrics()
    line.digest = "d"
    line.memoryBytes = 11
    line.bytesDown = 10
    line.bytesUp = 9
    line.bytesSent = 8
    line.seconds = 7.5
    line.learningRate = 1e-5
    line.accuracy = 0.1
    line.loss = .nan
    line.epoch = 3
    line.round = 2
    line.step = 1
    line.others["validation_loss"] = 0.25
    try MetricsLog(path).write(line)
    #expect(
      try folder.text("metrics.jsonl") == """
        {"step": 1, "round": 2, "epoch": 3, "loss": null, "accuracy": 0.1, "learning_rate": 1e-05, "seconds": 7.5, \
        "bytes_sent": 8, "bytes_up": 9, "bytes_down": 10, "memory_bytes": 11, "digest": "d", "validation_loss": 0.25}

        """)
    try MetricsLog(path).write(Metrics())
    #expect(try folder.text("metrics.jsonl") == "{}\n")
  }

  @Test(arguments: [0, 1, 4, 10, 99]) func aResumedRunWritesEachStepOnce(from: Int) throws {
    let first = try MetricsLog(path)
    for step in 1...10 { try first.write(line(step)) }
    try folder.write(try folder.text("metrics.jsonl") + "{\"step\": 3, \"lo", to: "metrics.jsonl")
    let second = try MetricsLog(path, resumingAfter: .step(from))
    let kept = Array(1...10).filter { $0 <= from }
    #expect(try steps() == kept)
    for step in from + 1..<from + 4 { try second.write(line(step)) }
    #expect(try steps() == kept + Array(from + 1..<from + 4))
  }

  @Test func theLastLineNeedsItsEnd() throws {
    try folder.write("{\"round\": 1}\n{\"round\": 2}", to: "metrics.jsonl")
    _ = try MetricsLog(path, resumingAfter: .round(5))
    #expect(try folder.text("metrics.jsonl") == "{\"round\": 1}\n")
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))) func aFullDiskIsRefused() throws {
    let log = try MetricsLog("/dev/full")
    let error = #expect(throws: RunError.self) { try log.write(line(1)) }
    #expect(error?.code == .refused)
    #expect(throws: RunError.self) { try MetricsLog("\(folder.path)/a/b") }
  }
}
