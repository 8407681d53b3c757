import Communication
import Tensors

/// One exchange after another, each from a step of its own on; all remember what the last one does, or less.
public final class StagedExchange: BucketExchange {
  private let stages: [(first: Int, exchange: any BucketExchange)]
  private var current = 0

  /// Stages in order; the first begins with step 0.
  public init(_ stages: [(first: Int, exchange: any BucketExchange)]) {
    precondition(stages.first?.first == 0, "no stage begins with step 0")
    self.stages = stages
  }

  private func stage(_ step: Int) -> Int { (stages.lastIndex { $0.first <= step }) ?? 0 }

  /// Starts the exchange of the stage.
  public func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    current = stage(step)
    try stages[current].exchange.start(bucket, step: step, blocks)
  }

  /// Moves the exchange of the stage along.
  public func turn(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try stages[current].exchange.turn(bucket, step: step, blocks)
  }

  /// Completes the exchange of the stage.
  public func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try stages[current].exchange.finish(bucket, step: step, blocks)
  }

  /// Moves the exchange of the stage along.
  public func poll() throws(CommunicationError) { try stages[current].exchange.poll() }

  /// What the last stage remembers.
  public var memory: [StrategyMemory] { stages[stages.count - 1].exchange.memory }

  /// The bytes of the stage.
  public func bytesSent(step: Int) -> Int { stages[stage(step)].exchange.bytesSent(step: step) }
}
