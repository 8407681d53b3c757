import Communication
import Configuration
import Foundation
import Testing
import Training

@Suite("Faults happen to the rank they are meant for, and to no other")
struct FaultyRankTests {
  /// Trains a small perceptron on ranks that are threads; each rank's digest, or its error.
  private func train(_ faults: String, ranks: Int) throws -> [Result<String, any Error>] {
    let yaml = """
      name: faults
      model: {name: mlp, widths: [9]}
      data: {name: digits, subset: 200}
      training: {steps: 6, batch: 20, shards: 4}
      optimizer: {name: sgd, learning-rate: 0.1}
      faults: \(faults)
      """
    let prepared = try PreparedExperiment(try Experiment(try Node.parse(yaml, file: "faults.yaml")))
    return InProcessCommunicator.run(ranks: ranks) { communicator in
      let loop = try TrainingLoop(prepared, communicator)
      try loop.armFaults(run: nil)
      return try loop.run().parametersDigest
    }
  }

  @Test("a wrong bit lets one rank hold other parameters, which all ranks are told", arguments: [0, 1])
  func corrupt(rank: Int) throws {
    let sound = try train("[]", ranks: 3).map { try $0.get() }
    #expect(Set(sound).count == 1)
    for outcome in try train("[{corrupt: {rank: \(rank), step: 6}}]", ranks: 3) {
      guard case .failure(let error as RunError) = outcome else {
        Issue.record("nobody noticed")
        continue
      }
      #expect(error.code == .desynchronised && error.message.contains("rank \(rank) of 3"), "\(error.message)")
    }
  }

  @Test("a fault that is not armed does not happen")
  func unarmed() throws {
    let yaml = """
      model: {name: mlp, widths: [9]}
      data: {name: digits, subset: 200}
      training: {steps: 2, batch: 20, shards: 4}
      optimizer: {name: sgd, learning-rate: 0.1}
      faults: [{nan: {step: 1}}]
      """
    let prepared = try PreparedExperiment(try Experiment(try Node.parse(yaml, file: "faults.yaml")))
    let summary = try TrainingLoop(prepared, InProcessCommunicator.alone()).run()
    #expect(summary.loss?.isFinite == true)
  }

  @Test(
    "every kind keeps its keys in the resolved configuration, and reads them again",
    arguments: FaultCatalog.all.indices)
  func resolved(index: Int) throws {
    let kind = FaultCatalog.all[index]
    let yaml = """
      model: {name: mlp, widths: [9]}
      data: digits
      optimizer: {name: sgd, learning-rate: 0.1}
      faults: [{\(kind.example)}]
      """
    let experiment = try Experiment(try Node.parse(yaml, file: "faults.yaml"))
    #expect(experiment.faults.map(\.path) == ["faults.0.\(kind.name)"])
    let again = try Experiment(experiment.resolved)
    #expect(again.resolved == experiment.resolved)
    #expect(again.faults.map(\.fault.occasion) == experiment.faults.map(\.fault.occasion))
    #expect(!kind.help.isEmpty && FaultCatalog.document(kind).contains { $0.key == "\(kind.name).step" })
  }

  @Test("a write fails where its step, its file and its number are those demanded, once")
  func writes() throws {
    let faults = WriteFaults()
    faults.demand(0, step: 2, file: "*.txt", ordinal: 2, code: ENOSPC)
    faults.demand(1, step: 3, file: nil, ordinal: 1, code: EIO)
    func fails(_ path: String, checkpoint: Int? = nil) -> String {
      do throws(SystemFailure) { try faults.check(path, checkpoint: checkpoint) } catch { return error.message }
      return ""
    }
    #expect(fails("a/b.txt") == "")
    faults.begin(step: 2)
    #expect(fails("a/b.txt") == "")
    #expect(fails("a/b.bin") == "")
    #expect(fails("a/c.txt").hasPrefix("cannot write a/c.txt: No space left on device;"))
    #expect(fails("a/c.txt") == "")
    // A checkpoint's files belong to its step, however far training is.
    faults.begin(step: 5)
    #expect(fails("model", checkpoint: 2) == "")
    #expect(faults.happened == [0])
    #expect(fails("model", checkpoint: 3).contains("Input/output error"))
    #expect(fails("model", checkpoint: 3) == "")
    #expect(faults.happened == [0, 1])
  }

  @Test("starts are counted by the lines of the receipts")
  func attempts() throws {
    let folder = try PersistenceFolder()
    #expect(try Attempt.number(run: nil) == 1)
    #expect(try Attempt.number(run: folder.path) == 1)
    try folder.write("{}\n{}\n", to: "receipt.jsonl")
    #expect(try Attempt.number(run: folder.path) == 3)
    #expect(try Attempt.number(run: "\(folder.path)/none") == 1)
  }
}
