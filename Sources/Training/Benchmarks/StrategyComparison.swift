import Communication
import Configuration
import Datasets
import Foundation
import Glibc

/// Trains one configuration with several strategies, each with several seeds, on simulated ranks: one budget, one ledger.
public struct StrategyComparison {
  /// The configuration that all share.
  public let configuration: Node
  /// Values of the key `strategy`, in the order of the table.
  public let strategies: [String]
  /// Ranks of every run; with `shards: ranks` each is one worker.
  public let ranks: Int
  /// Seeds, the configuration's own first.
  public let seeds: [Int]

  /// A comparison of strategies, given as YAML: a name or a map.
  public init(_ configuration: Node, strategies: [String], ranks: Int, seeds: [Int]) {
    precondition(!strategies.isEmpty && !seeds.isEmpty && ranks > 0, "a comparison of nothing")
    self.configuration = configuration
    self.strategies = strategies
    self.ranks = ranks
    self.seeds = seeds
  }

  /// What became of one strategy.
  public struct Outcome: Sendable {
    /// As it was given.
    public let strategy: String
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

    /// Payload of the rank that sent most.
    public var bytesSent: Int { summary.bytesSent.max() ?? 0 }
    /// Messages of the rank that sent most.
    public var messagesSent: Int { summary.messagesSent.max() ?? 0 }

    /// Seconds of the training over a link, of which nothing is hidden behind computing.
    public func seconds(over link: LinkModel) -> Double {
      processorSeconds + link.seconds(bytes: Double(bytesSent), messages: Double(messagesSent))
    }
  }

  /// Trains everything; `began` is told of each run before it starts.  A strategy that does not go with the configuration, or
  /// diverges, is an outcome; what concerns all of them throws.
  public func run(began: (_ strategy: String, _ seed: Int) -> Void = { _, _ in }) throws(RunError) -> [Outcome] {
    var outcomes = strategies.map { Outcome(strategy: $0) }
    for seed in seeds {
      var dataset: Dataset?
      for index in outcomes.indices {
        if let signal = StopSignal.number { throw RunError(.stopped, "stopped by signal \(signal)") }
        let experiment: Experiment
        do throws(ConfigurationError) {
          let node = try configuration.setting("seed", to: "\(seed)", source: "seeds")
            .setting("strategy", to: outcomes[index].strategy, source: "strategies")
          experiment = try Experiment(node)
        } catch {
          outcomes[index].failures.append(error.description)
          continue
        }
        began(outcomes[index].strategy, seed)
        let prepared = try PreparedExperiment(experiment, dataset: dataset)
        dataset = prepared.dataset
        do throws(RunError) {
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
    let start = processorTime()
    let outcomes = InProcessCommunicator.run(ranks: ranks) { try TrainingLoop(prepared, $0).run() }
    let seconds = processorTime() - start
    let failures = outcomes.compactMap { outcome -> RunError? in
      if case .failure(let error) = outcome { RunError(error) } else { nil }
    }
    if let failure = failures.first(where: { $0.code != .peerLost }) ?? failures.first { throw failure }
    guard case .success(let summary) = outcomes[0] else { preconditionFailure("rank 0 neither ended nor failed") }
    return Run(seed: seed, summary: summary, processorSeconds: seconds / Double(ranks))
  }

  private func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
