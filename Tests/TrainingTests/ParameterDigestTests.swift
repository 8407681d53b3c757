import Communication
import Configuration
import Strategies
import Tensors
import Testing
import Training

@Suite("Ranks that hold other parameters are found and named")
struct ParameterAgreementTests {
  /// What each of some ranks hears, when some of them have a bit flipped.
  private func messages(ranks: Int, flipped: [Int], word: Int, bit: UInt32, block: Int = 0) -> [RunError?] {
    InProcessCommunicator.run(ranks: ranks) { communicator -> RunError? in
      let sample = PersistenceSample(seed: 1)
      let block = [sample.store.parameters, sample.store.states, sample.momentum][block]
      if flipped.contains(communicator.rank) {
        let index = word % block.count
        block.base[index] = Float(bitPattern: block.base[index].bitPattern ^ (1 << bit))
      }
      do throws(RunError) {
        try ParameterAgreement.require(sample.store, then: [sample.momentum], step: 12, communicator)
      } catch { return error }
      return nil
    }.map { try? $0.get() }
  }

  @Test("whichever bit of whichever number it is")
  func anyBit() {
    let words = persistenceRandom(5, below: 1 << 20, count: 40)
    for (index, word) in words.enumerated() {
      let errors = messages(ranks: 3, flipped: [2], word: word, bit: UInt32(index % 32), block: index % 3)
      for error in errors {
        #expect(error?.code == .desynchronised)
        #expect(error?.message.contains("after step 12 rank 2 of 3 holds other parameters") == true)
      }
    }
    // The last of them, which fills no whole block of the hash.
    #expect(messages(ranks: 2, flipped: [1], word: 2479, bit: 0).allSatisfy { $0?.code == .desynchronised })
  }

  @Test("also rank 0, or several, or where there is no majority")
  func who() {
    #expect(
      messages(ranks: 4, flipped: [0], word: 3, bit: 31).allSatisfy { $0?.message.contains("rank 0 of 4") == true })
    #expect(
      messages(ranks: 5, flipped: [1, 3], word: 3, bit: 31).allSatisfy {
        $0?.message.contains("ranks 1, 3 of 5") == true
      })
    #expect(
      messages(ranks: 4, flipped: [1, 2], word: 3, bit: 31).allSatisfy {
        $0?.message.contains("ranks 0, 3 against ranks 1, 2") == true
      })
    #expect(messages(ranks: 2, flipped: [1], word: 3, bit: 31).allSatisfy { $0?.message.contains("rank 1") == true })
  }

  @Test("and those that hold the same go on", arguments: 1...4)
  func same(ranks: Int) {
    #expect(messages(ranks: ranks, flipped: [], word: 0, bit: 0).allSatisfy { $0 == nil })
  }
}

@Suite("Digests of a training")
struct TrainingDigestTests {
  private final class Recorder: TrainingObserver {
    var digests: [Int: String] = [:]
    var act: (Int) -> Void = { _ in }
    func stepEnded(_ record: StepRecord) {
      digests[record.step] = record.digest
      act(record.step)
    }
  }

  private static func prepare(_ strategy: String, _ training: String) throws -> PreparedExperiment {
    let isAdam = strategy.contains("adam")
    let yaml = """
      seed: 3
      model: {layers: [flatten, {linear: 24}, batch-norm, relu, {dropout: 0.2}, {linear: 10}]}
      data: {name: digits, subset: 310}
      training: {steps: 12, batch: 24, shards: 4, bucket: 1024, evaluate: 5 steps, \(training)}
      optimizer: \(isAdam ? "{name: adam, epsilon: 1e-3}" : "{name: sgd, learning-rate: 0.05, momentum: 0.9}")
      checkpoint: {every: 1 step, keep: 100}
      strategy: \(strategy)
      """
    return try PreparedExperiment(try Experiment(try Node.parse(yaml, file: "digests.yaml")))
  }

  static let strategies = StrategyCatalog.all.map { type in
    let options = [
      "streaming-diloco": "period: 10, fragments: 2, delay: 4, mixing: 0.5", "diloco": "period: 5",
      "local-sgd": "period: 3", "powersgd": "start: 2", "onebit-adam": "freeze-step: 4",
    ]
    return options[type.name].map { "{name: \(type.name), \($0)}" } ?? type.name
  }

  @Test("every strategy's ranks hold the same after every step, and looking changes nothing", arguments: strategies)
  func digests(_ strategy: String) throws {
    func train(ranks: Int, _ training: String) throws -> (digests: [Int: String], last: String) {
      let prepared = try Self.prepare(strategy, training)
      return try InProcessCommunicator.run(ranks: ranks) { communicator in
        let recorder = Recorder()
        let loop = try TrainingLoop(prepared, communicator, observers: communicator.rank == 0 ? [recorder] : [])
        let summary = try loop.run()
        return (recorder.digests, summary.parametersDigest)
      }.map { try $0.get() }[0]
    }
    let alone = try train(ranks: 1, "digest: 1 step")
    #expect(alone.digests.keys.sorted() == Array(1...12) && alone.digests[12] == alone.last)
    #expect(Set(alone.digests.values).count > 1)
    let three = try train(ranks: 3, "digest: 1 step")
    #expect(three.digests == alone.digests)
    let seldom = try train(ranks: 2, "digest: 5 steps")
    #expect(seldom.digests == alone.digests.filter { [5, 10, 12].contains($0.key) })
    let never = try train(ranks: 3, "digest: never")
    #expect(never.digests.isEmpty && never.last == alone.last)
  }

  @Test(
    "a rank whose memory changes ends the run before anything of it is kept",
    arguments: [("digest: never", 5), ("digest: 3 steps", 5), ("digest: 5 steps", 6)])
  func corrupted(_ training: String, _ found: Int) throws {
    let prepared = try Self.prepare("allreduce", training)
    let folder = try PersistenceFolder()
    let path = "\(folder.path)/run"
    let outcomes = InProcessCommunicator.run(ranks: 3) { communicator in
      let recorder = Recorder()
      let loop = try TrainingLoop(prepared, communicator, observers: communicator.rank == 0 ? [recorder] : [])
      let store = loop.store
      recorder.act = { step in
        // After the ranks have compared, where that is due in this step, and before it is saved.
        if step == 5 { store.parameters.base[7] = store.parameters.base[7].nextUp }
      }
      let directory =
        communicator.rank == 0 ? try RunDirectory(name: "digests", path: path) : nil
      try loop.keepCheckpoints(in: directory, resume: false)
      _ = try loop.run()
    }
    for outcome in outcomes {
      guard case .failure(let error) = outcome else {
        Issue.record("a rank went on")
        continue
      }
      let failure = RunError(error)
      #expect(
        failure.code == .desynchronised && failure.message.contains("after step \(found) rank 0 of 3"), "\(failure)")
    }
    #expect(Checkpoints("\(path)/checkpoints").steps == Array(1..<found))
  }
}
