import Foundation
import Strategies
import Testing

@Suite("Replicas come to the same bits under mpirun")
struct ReplicaInvarianceTests {
  /// Every strategy that moves replicas, with a period that the run sees the end of where it has one.
  static let strategies = StrategyCatalog.all.filter { $0 is any ReplicaStrategy.Type }.map { $0.name }

  private static let short = [
    "local-sgd": "period: 4", "post-local-sgd": "start: 3 steps, period: 4", "diloco": "period: 4",
    "streaming-diloco": "period: 10, fragments: 2, delay: 4, mixing: 0.5",
  ]

  @Test("as alone, and send as many bytes as in simulation; another number of ranks goes on", arguments: strategies)
  func digest(_ name: String) throws {
    let tool = try Experiments.folder()
    let strategy = "strategy={name: \(name)\(Self.short[name].map { ", \($0)" } ?? "")}"
    func arguments(_ verb: String, _ more: String...) -> [String] {
      [verb, "cnn.yaml", "--json", "--set", strategy] + more
    }
    let alone = try tool.run(arguments("train"))
    alone.expectSuccess()
    let simulated = try tool.run(arguments("simulate", "--ranks", "3"))
    simulated.expectSuccess()
    #expect(simulated.digest == alone.digest && alone.digest.count == 64)
    let real = try tool.mpirun(ranks: 3, arguments("train"))
    real.expectSuccess()
    #expect(real.digest == alone.digest)
    for key in ["bytes_sent", "messages_sent"] {
      #expect(real.json[key] as? [Int] == simulated.json[key] as? [Int], "\(key)")
    }
    // Six of twelve steps: within a period, and with a fragment under way.
    let part = try tool.run(arguments("simulate", "--ranks", "3", "--run", "run", "--set", "training.epochs=1"))
    part.expectSuccess()
    try FileManager.default.removeItem(atPath: tool.path("run/result.json"))
    let rest = try tool.mpirun(ranks: 2, arguments("train", "--run", "run", "--resume"))
    rest.expectSuccess()
    #expect(rest.digest == alone.digest)
  }
}
