import Communication
import Configuration
import Datasets
import Foundation
import Glibc

/// Trains one configuration with several values of a key, each with several seeds, on simulated ranks: one budget, one ledger.
public struct Comparison {
  /// The configuration that all share.
  public let configuration: Node
  /// What differs: `strategy`, `learning`.
  public let key: String
  /// Values of the key, in the order of the table.
  public let choices: [String]
  /// Ranks of every run; with `shards: ranks` each is one worker.
  public let ranks: Int
  /// Seeds, the configuration's own first.
  public let seeds: [Int]

  /// A comparison of values, given as YAML: a name or a map.
  public init(_ configuration: Node, key: String, choices: [String], ranks: Int, seeds: [Int]) {
    precondition(!choices.isEmpty && !seeds.isEmpty && ranks > 0, "a comparison of nothing")
    self.configuration = configuration
    self.key = key
    self.choices = choices
    self.ranks = ranks
    self.seeds = seeds
  }

  /// Trainings there will be, if none fails early.
  public var count: Int { choices.count * seeds.count }

  /// What became of one choice.
  public struct Outcome: Sendable {
    /// As it was given.
    public let choice: String
    /// One a seed that trained to its end.
    public internal(set) var runs: [Run] = []
    /// Why the others did not, in a line each.
    public internal(set) var failures: [String] = []
  }

  /// One training.
  public struct Run: Sendable {
    /// Its seed.
    public let seed: Int
    /// What it came to.
    public let summary: TrainingSummary
    /// Processor seconds of one rank, evaluation included: what a step costs where every rank has a core of its own.
    public let processorSeconds: Double
    /// Bytes of activations, packed weights and scratch memory of one worker.
    public let activationBytes: Int

    /// Payload of the rank that sent most.
    public var bytesSent: Int { summary.bytesSent.max() ?? 0 }
    /// Messages of the rank that sent most.
    public var messagesSent: Int { summary.messagesSent.max() ?? 0 }

    /// Seconds of the training over a link, of which nothing is hidden behind computing.
    public func seconds(over link: LinkModel) -> Double {
      processorSeconds + link.seconds(bytes: Double(bytesSent), messages: Double(messagesSent))
    }
  }

  /// Trains everything; `began` is told of each run before it starts.  A choice that does not go with the configuration, or
  /// diverges, is an outcome; what concerns all of them throws.
  public func run(began: (_ choice: String, _ seed: Int) -> Void = { _, _ in }) throws(RunError) -> [Outcome] {
    var outcomes = choices.map { Outcome(choice: $0) }
    for seed in seeds {
      var dataset: Dataset?
      for index in outcomes.indices {
        if let signal = StopSignal.number { throw RunError(.stopped, "stopped by signal \(signal)") }
        let experiment: Experiment
        do throws(ConfigurationError) {
          let node = try configuration.setting("seed", to: "\(seed)", source: "seeds")
            .setting(key, to: outcomes[index].choice, source: "bench")
          experiment = try Experiment(node)
        } catch {
          outcomes[index].failures.append(error.description)
          continue
        }
        began(outcomes[index].choice, seed)
        do throws(RunError) {
          let prepared = try PreparedExperiment(experiment, dataset: dataset)
          dataset = prepared.dataset
          outcomes[index].runs.append(try train(prepared, seed: seed))
        } catch {
          guard error.code == .diverged || error.code == .configuration else { throw error }
          outcomes[index].failures.append("seed \(seed): \(error.message)")
        }
      }
    }
    return outcomes
  }

  private func train(_ prepared: PreparedExperiment, seed: Int) throws(RunError) -> Run {
    ProcessMemory.resetPeak()
    let start = processorTime()
    let outcomes = InProcessCommunicator.run(ranks: ranks) { communicator in
      let loop = try TrainingLoop(prepared, communicator)
      return (summary: try loop.run(), pool: loop.trainer.shards.library.poolBytes)
    }
    let seconds = processorTime() - start
    let failures = outcomes.compactMap { outcome -> RunError? in
      if case .failure(let error) = outcome { RunError(error) } else { nil }
    }
    if let failure = failures.first(where: { $0.code != .peerLost }) ?? failures.first { throw failure }
    guard case .success(let result) = outcomes[0] else { preconditionFailure("rank 0 neither ended nor failed") }
    return Run(
      seed: seed, summary: result.summary, processorSeconds: seconds / Double(ranks), activationBytes: result.pool)
  }

  private func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
