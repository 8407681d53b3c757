import Communication
import Configuration
import Strategies
import Testing
import Training

@Suite("What a step reports is a sum over all ranks")
struct StepRecordTests {
  private final class Recorder: TrainingObserver {
    var records: [StepRecord] = []
    func stepEnded(_ record: StepRecord) { records.append(record) }
  }

  /// Small buckets, so that the first is through long before the last gradient is there.
  private static func records(_ strategy: String, ranks: Int) throws -> [StepRecord] {
    let yaml = """
      seed: 3
      model: {layers: [flatten, {linear: 64}, batch-norm, relu, {linear: 64}, relu, {linear: 10}]}
      data: {name: digits, subset: 310}
      training: {steps: 12, batch: 24, shards: 4, bucket: 1024, evaluate: 100 steps}
      strategy: \(strategy)
      """
    let prepared = try PreparedExperiment(try Experiment(try Node.parse(yaml, file: "steps.yaml")))
    return try InProcessCommunicator.run(ranks: ranks) { communicator in
      let recorder = Recorder()
      _ = try TrainingLoop(prepared, communicator, observers: [recorder]).run()
      return recorder.records
    }.flatMap { try $0.get() }
  }

  @Test(
    "to the bit, for every number of ranks",
    arguments: ["allreduce", "top-k", "{name: powersgd, start: 2}", "zero", "{name: local-sgd, period: 3}"])
  func losses(_ strategy: String) throws {
    let alone = try Self.records(strategy, ranks: 1)
    #expect(alone.count == 12)
    for ranks in 2...4 {
      for record in try Self.records(strategy, ranks: ranks) {
        let expected = alone[record.step - 1]
        #expect(record.loss == expected.loss && record.accuracy == expected.accuracy, "\(ranks) ranks")
      }
    }
  }
}
