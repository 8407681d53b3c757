import Foundation
import Testing

@Suite("The same federation, whoever visits its clients")
struct FederatedInvarianceTests {
  /// A federation that ran alone on one thread, in the folder `alone`, and to which others are held.
  private struct Held {
    let trial: FederatedTrial
    let tool: CommandLineTool
    let alone: CommandResult
    let history: [String]

    init(_ trial: FederatedTrial) throws {
      self.trial = trial
      tool = try FederatedTrial.folder()
      alone = try tool.run(["simulate"] + trial.words + ["--json", "--run", "alone"])
      alone.expectSuccess()
      #expect(alone.digest.count == 64 && alone.json["rounds"] as? Int == 4)
      #expect(alone.json["strategy"] as? String == trial.strategy)
      history = try tool.federatedHistory("alone")
    }

    func expectSame(_ way: Way, _ run: String, resuming: Bool = false) throws {
      let other = try way.train(tool, trial.words + ["--run", run] + (resuming ? ["--resume"] : []))
      other.expectSuccess()
      #expect(other.digest == alone.digest, "\(way): \(other.command)")
      let found = try tool.federatedHistory(run)
      #expect(found == history, "\(way): \(other.command)")
      #expect(other.json["ranks"] as? Int == way.ranks)
      for key in ["loss", "accuracy", "rounds", "updates", "steps", "samples", "bytes_up", "bytes_down", "clients"] {
        #expect(other.json[key] as? Double == alone.json[key] as? Double, "\(key) of \(other.command)")
      }
    }

    func rewind(_ run: String) throws { try tool.rewind(run, to: FederatedTrial.middle) }
  }

  @Test("on threads, simulated ranks and ranks under mpirun, from the start or resumed", arguments: FederatedTrial.all)
  func digest(_ trial: FederatedTrial) throws {
    let held = try Held(trial)
    for way in [
      Way(transport: .threads, ranks: 1, threads: 2), Way(transport: .threads, ranks: 2, threads: 2),
      Way(transport: .threads, ranks: 3, threads: 1), Way(transport: .window, ranks: 2, threads: 1),
      Way(transport: .tcp, ranks: 3, threads: 1),
    ] { try held.expectSame(way, "\(way)") }
    // What one rank has written two and three take up, and what three have written one does.
    try held.rewind("alone")
    try held.expectSame(Way(transport: .threads, ranks: 3, threads: 2), "alone", resuming: true)
    try held.rewind("alone")
    try held.expectSame(Way(transport: .threads, ranks: 1, threads: 1), "alone", resuming: true)
    try held.rewind("tcp-3x1")
    try held.expectSame(Way(transport: .window, ranks: 2, threads: 1), "tcp-3x1", resuming: true)
  }

  @Test("on up to eight ranks by every transport", .enabled(if: Way.isFull), arguments: FederatedTrial.all)
  func product(_ trial: FederatedTrial) throws {
    let held = try Held(trial)
    for way in Way.all {
      try held.expectSame(way, "\(way)")
      try held.rewind("\(way)")
      try held.expectSame(Way(transport: .threads, ranks: 1, threads: 2), "\(way)", resuming: true)
    }
  }

  @Test("how often it is evaluated, saved or digested changes nothing")
  func observation() throws {
    let tool = try FederatedTrial.folder()
    let digests = try [
      [], ["federated.evaluate=1", "checkpoint.every=never"], ["federated.digest=never", "federated.ledger=false"],
      ["checkpoint.every=1 round", "federated.state-memory=1"],
    ].map { (changes: [String]) in
      let result = try tool.run(
        ["simulate", "federation.yaml", "--json"] + changes.flatMap { ["--set", $0] })
      result.expectSuccess()
      return result.digest
    }
    #expect(Set(digests).count == 1)
  }

  @Test("and other bits for another seed, cohort or partition")
  func different() throws {
    let tool = try FederatedTrial.folder()
    let digests = try ["seed=9", "seed=10", "federated.cohort=6", "federated.partition=iid", "federated.epochs=1"].map {
      (change: String) in
      let result = try tool.run("simulate", "federation.yaml", "--json", "--set", change)
      result.expectSuccess()
      return result.digest
    }
    #expect(Set(digests).count == digests.count)
  }
}
