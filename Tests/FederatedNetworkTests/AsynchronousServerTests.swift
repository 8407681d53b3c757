import Federated
import FederatedNetwork
import Testing
import Training

@Suite("An asynchronous server whose clients are elsewhere")
struct AsynchronousServerTests {
  static let kinds = [
    "{buffer: 3, concurrency: 4}", "{buffer: 5, concurrency: 5}", "{buffer: 2, concurrency: 5, staleness: constant}",
    "{name: fedasync, concurrency: 3}", "{name: fedasync, concurrency: 5, mixing: 0.2, most-stale: 1}",
  ]

  /// Expects that no pair of client and version counts twice, and that nothing is older than it may be.
  private func expectSense(_ trial: BufferTrial) throws {
    let options = try #require(trial.prepared.setting.asynchronous)
    var seen: Set<[Int]> = []
    for (round, records) in trial.visits.enumerated() {
      let counted = records.filter { $0.status == .accepted }
      #expect(counted.count == options.buffer)
      for record in counted {
        let version = try #require(record.version)
        #expect(0...options.mostStale ~= round - version)
        #expect(seen.insert([record.client, version]).inserted)
      }
    }
  }

  @Test("comes to the bits of a simulation with the same visits, in whatever order they came", arguments: kinds)
  func simulated(_ kind: String) throws {
    let trial = try BufferTrial(kind, clients: 5, rounds: 20)
    for client in 0..<5 { trial.start(client) }
    try trial.advance(to: 20)
    let summaries = try trial.end()
    try expectSense(trial)
    #expect(try trial.bits == trial.simulated())
    let counted = trial.visits.joined().filter { $0.status == .accepted }
    for (client, summary) in summaries {
      #expect(summary.updates == counted.filter { $0.client == client }.count && summary.digest == "end")
      #expect(summary.visits >= summary.updates)
    }
  }

  @Test("discards what is too old and tells its client, which is asked again")
  func late() throws {
    let trial = try BufferTrial("{buffer: 1, concurrency: 3, most-stale: 2}", clients: 3, rounds: 8)
    let progress = trial.progress
    // Client 0 does not look at its first order before the model has had five updates by the others.
    trial.start(0) { if $0.round == 0 { progress.wait(for: 5) } }
    trial.start(1)
    trial.start(2)
    // One that came late would be asked for a later version first.
    try trial.gather()
    try trial.advance(to: 8)
    _ = try trial.end()
    try expectSense(trial)
    #expect(try trial.bits == trial.simulated())
    let own = trial.visits.joined().filter { $0.client == 0 }
    #expect(own.first.map { $0.status == .lost && $0.version == 0 } ?? true)
    #expect(!own.contains { $0.status == .accepted && $0.version == 0 })
  }

  @Test(
    "started again, it takes what its clients have trained meanwhile, and nothing twice",
    arguments: ["{buffer: 2, concurrency: 4}", "{name: fedasync, concurrency: 4}"], [true, false])
  func restarted(_ kind: String, _ tells: Bool) throws {
    let trial = try BufferTrial(kind, clients: 4, rounds: 30)
    for client in 0..<4 { trial.start(client) }
    for round in [7, 8, 19] {
      try trial.advance(to: round, tellsLast: tells)
      try trial.restart()
    }
    try trial.advance(to: 30)
    let summaries = try trial.end()
    try expectSense(trial)
    #expect(try trial.bits == trial.simulated())
    let counted = trial.visits.joined().filter { $0.status == .accepted }
    for (client, summary) in summaries { #expect(summary.updates == counted.filter { $0.client == client }.count) }
  }
}
