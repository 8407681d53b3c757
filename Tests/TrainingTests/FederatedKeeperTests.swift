import Communication
import Configuration
import Datasets
import Federated
import Foundation
import Layers
import Tensors
import Testing
import Training

@Suite("Checkpoints of federations whose clients and server remember")
struct FederatedKeeperTests {
  /// Clients that make half of the change again that they made last; a server with momentum.
  private struct Remembering: FederatedStrategy {
    static let name = "remembering"
    static let help = "for tests"

    init() {}
    init(options: inout Options) throws(ConfigurationError) {}

    func plan(_ task: FederatedTask) -> FederatedPlan {
      let shared = SharedScalars(task.layout)
      return FederatedPlan(
        shared: shared, blocks: [BroadcastBlock("last", count: shared.count)], stateCount: shared.count)
    }

    func makeClient(_ task: FederatedTask, _ plan: FederatedPlan) -> any ClientHalf { Client() }

    func makeServer(_ task: FederatedTask, _ plan: FederatedPlan, _ broadcast: Broadcast) -> any ServerHalf {
      Server(plan, broadcast)
    }

    private final class Client: ClientHalf {
      func update(_ visit: ClientVisit) {
        visit.trainFromBroadcast(NoCorrection())
        visit.uploadChange()
        let change = visit.upload.scalars(0)
        for place in change.indices {
          change[place] += 0.5 * visit.state[place] + 0.1 * visit.broadcast.blocks[0].base[place]
          visit.state[place] = change[place]
        }
      }
    }

    private final class Server: ServerHalf {
      private let plan: FederatedPlan
      private let broadcast: Broadcast
      private let momentum: Storage

      init(_ plan: FederatedPlan, _ broadcast: Broadcast) {
        self.plan = plan
        self.broadcast = broadcast
        momentum = Storage(zeros: plan.shared.count)
      }

      var memory: [ServerMemory] { [ServerMemory("momentum", momentum)] }

      func combine(_ outcome: RoundOutcome) {
        for place in 0..<momentum.count {
          momentum.base[place] = 0.5 * momentum.base[place] + outcome.mean(0)[place]
          broadcast.blocks[0].base[place] = outcome.mean(0)[place]
        }
        plan.shared.add(momentum.base, to: broadcast.model)
      }
    }
  }

  private func prepared() throws -> PreparedFederation {
    let yaml = """
      seed: 3
      model: {name: mlp, widths: [6]}
      data: {name: digits, subset: 200}
      federated: {clients: 11, cohort: 6, rounds: 8, batch: 9}
      optimizer: {name: sgd, learning-rate: 0.05}
      """
    return try PreparedFederation(try FederatedExperiment(try Node.parse(yaml, file: "keeper.yaml")))
  }

  /// Rounds `first..<last` on some ranks, from the newest checkpoint in a folder on; keeps one at the end.  Returns the digest,
  /// and the round that it began at.
  private func run(
    to last: Int, ranks: Int, in folder: String, states: Int = 1 << 30, stretch: Int = 1 << 20
  ) throws -> (digest: String, first: Int) {
    let prepared = try prepared()
    let outcomes = InProcessCommunicator.run(ranks: ranks) { (communicator) throws -> (String, Int)? in
      var setting = prepared.setting
      setting.stateMemory = states
      let store = ParameterStore(prepared.task.layout)
      prepared.task.layout.initialise(store, seed: 3)
      let engine = try FederatedEngine(
        prepared.task, Remembering(), setting, model: store, threads: 2, communicator)
      let directory =
        communicator.rank == 0 ? try RunDirectory(name: "keeper", path: folder, resume: true) : nil
      let keeper = FederatedKeeper(prepared, communicator, stretchBytes: stretch)
      try keeper.keep(in: directory, engine, nil)
      let first = try keeper.restore(engine).progress?.step ?? 0
      for round in first..<last { _ = try engine.round(round) }
      var progress = TrainingProgress()
      progress.step = last
      progress.counters = ["round": Double(last)]
      _ = try keeper.save(progress, engine)
      return communicator.rank == 0 ? (Digest.parameters(engine.broadcast.model), first) : nil
    }
    var found: (String, Int)?
    for outcome in outcomes { if let result = try outcome.get() { found = result } }
    return try #require(found)
  }

  private func folder() -> String {
    FileManager.default.temporaryDirectory.appendingPathComponent("nndist-keeper-\(UUID().uuidString)").path
  }

  @Test("are restored by any number of ranks, in memory or in a file, in any stretches", arguments: [1, 2, 3, 4])
  func ranks(_ ranks: Int) throws {
    let (whole, parts) = (folder(), folder())
    defer { for path in [whole, parts] { try? FileManager.default.removeItem(atPath: path) } }
    let expected = try run(to: 8, ranks: 1, in: whole).digest
    // One state is 460 scalars: three of them in memory, two of them at a time.
    #expect(try run(to: 3, ranks: 3, in: parts, states: 3 * 4 * 460, stretch: 2 * 4 * 460).first == 0)
    let middle = try run(to: 5, ranks: ranks, in: parts, stretch: 1)
    #expect(middle.first == 3)
    let end = try run(to: 8, ranks: 5 - ranks, in: parts, states: 1)
    #expect(end.first == 5 && end.digest == expected)
  }

  @Test("without what clients remembered the result is another one: the states count")
  func states() throws {
    let (whole, parts) = (folder(), folder())
    defer { for path in [whole, parts] { try? FileManager.default.removeItem(atPath: path) } }
    let expected = try run(to: 8, ranks: 1, in: whole).digest
    _ = try run(to: 3, ranks: 2, in: parts)
    let checkpoint = try Checkpoint.open("\(parts)/checkpoints/step-3")
    let names = try checkpoint.state().names
    #expect(names.contains("server/momentum") && names.contains("broadcast/last"))
    #expect(names.filter { $0.hasPrefix("client/") }.count > 6)
    // Another strategy remembers other things.
    let prepared = try prepared()
    let loop = try FederatedLoop(prepared, InProcessCommunicator.alone())
    let error = try #require(throws: RunError.self) { try loop.resume(from: checkpoint) }
    #expect(error.code == .checkpoint && error.message.contains("is not remembered here"))
    #expect(try run(to: 8, ranks: 1, in: parts).digest == expected)
  }
}
