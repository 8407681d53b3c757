import Communication
import Datasets
import Federated
import Tensors

/// Times the rounds of a federation, without evaluation, checkpoints or reports: what the training itself can do.
public final class FederatedBenchmark {
  private let loop: FederatedLoop
  private let communicator: any Communicator
  private var round = 0

  /// A federation at its beginning.  Collective.
  public init(_ prepared: PreparedFederation, _ communicator: any Communicator) throws(RunError) {
    loop = try FederatedLoop(prepared, communicator)
    self.communicator = communicator
    do { try loop.engine.prepare { _ in } } catch { throw RunError(error) }
  }

  /// Threads of a rank.
  public var threads: Int { loop.prepared.experiment.compute.threads }
  /// Parameters of the model.
  public var parameters: Int { loop.prepared.task.layout.parameterCount }

  /// Seconds of rounds, some for warming up left out, and the updates of one round on average.  Collective.
  public func measure(seconds: Double) throws(RunError) -> (times: LoopTimes, updates: Double) {
    do {
      for _ in 0..<3 { _ = try step() }
      let start = monotonicSeconds()
      _ = try step()
      let count = try agree(max(5, Int(seconds / max(monotonicSeconds() - start, 1e-6))))
      var times = [Double](repeating: 0, count: count)
      var updates = 0
      var last = monotonicSeconds()
      for index in 0..<count {
        updates += try step().updates
        let now = monotonicSeconds()
        times[index] = now - last
        last = now
      }
      return (LoopTimes(times), Double(updates) / Double(count))
    } catch { throw RunError(error) }
  }

  /// Allocations a round in this process, by this program and by its libraries; nil where nobody counts them.
  public func allocations() throws(RunError) -> (own: Double, libraries: Double)? {
    let rounds = 16
    do {
      for _ in 0..<3 { _ = try step() }
      guard let before = AllocationCounter.now else { return nil }
      for _ in 0..<rounds { _ = try step() }
      guard let after = AllocationCounter.now else { return nil }
      return (
        Double(after.own - before.own) / Double(rounds), Double(after.libraries - before.libraries) / Double(rounds)
      )
    } catch { throw RunError(error) }
  }

  private func step() throws -> RoundRecord {
    defer { round += 1 }
    return try loop.engine.round(round)
  }

  /// Rank 0's number, on every rank.
  private func agree(_ number: Int) throws -> Int {
    if communicator.size == 1 { return number }
    var value = [Int64(number)]
    try value.withUnsafeMutableBufferPointer { (value) throws in try communicator.broadcast(value, root: 0) }
    return Int(value[0])
  }
}

extension RandomSource {
  /// The samples in memory, drawn once: 4 bytes a scalar.
  public func resident(name: String) -> Dataset {
    guard case .classes(let classes) = targetType else { preconditionFailure("resident samples have classes") }
    var rows = [Float](repeating: 0, count: count * inputShape.count)
    var labels = [Int32](repeating: 0, count: count)
    rows.withUnsafeMutableBytes { rows in
      labels.withUnsafeMutableBytes { labels in
        guard let inputs = rows.baseAddress, let targets = labels.baseAddress else { return }
        for sample in 0..<count {
          read(sample, epoch: 0, into: inputs + 4 * sample * inputShape.count, targets: targets + 4 * sample)
        }
      }
    }
    let training = TableSource(rows: rows, shape: inputShape, targets: .classes(labels, classes))
    return Dataset(
      name: name, origin: "random numbers of the shapes of \(name)", training: training,
      test: RandomSource(like: self, count: 1))
  }
}
