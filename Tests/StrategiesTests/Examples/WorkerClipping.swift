import Communication
import Configuration
import Strategies
import Tensors

/// Clips each worker's gradient of each parameter to a norm, then adds them as `allreduce` does.
///
/// Sends per step and rank, with h shards a rank, p ranks and n scalars, 4n·(h + 1)·(p − 1)/p bytes.  State: none.
public final class WorkerClipping: GradientStrategy {
  /// The name in configurations.
  public static let name = "worker-clipping"
  /// What it does.
  public static let help = "clips the gradient of every worker before adding it"

  /// Clipping is no sum, so each shard comes by itself.
  public let grain = GradientGrain.shards
  /// Every rank moves all parameters.
  public private(set) var ownedParameters = 0..<0
  private let limit: Double
  private var sum: TreeSum?
  private var plan: ExchangePlan?

  /// Reads the largest norm.
  public init(options: inout Options) throws(ConfigurationError) {
    limit = try options.number(
      "limit", default: 1, in: .positive, "largest norm of a worker's gradient of one parameter")
  }

  /// Makes room for every bucket.
  public func prepare(_ plan: ExchangePlan) throws(CommunicationError) {
    self.plan = plan
    ownedParameters = 0..<plan.layout.parameterCount
    sum = TreeSum(plan, plan.buckets, of: grain)
  }

  /// Clips, and starts adding: a bucket holds whole parameters, so their norms are known.
  public func gradientsReady(bucket: Int, _ blocks: [Storage]) throws(CommunicationError) {
    guard let plan else { return }
    for parameter in plan.layout.parameters where plan.gradients(ofBucket: bucket).contains(parameter.range.lowerBound)
    {
      for block in blocks { clip(block.base + parameter.range.lowerBound, parameter.range.count) }
    }
    try sum?.start(bucket, blocks)
  }

  /// A norm that is not a number leaves the gradient as it is, so that the training ends and says so.
  private func clip(_ gradient: UnsafeMutablePointer<Float>, _ count: Int) {
    let norm = Reductions.squares(gradient, count).squareRoot()
    guard norm > limit else { return }
    let scale = Float(limit / norm)
    for i in 0..<count { gradient[i] *= scale }
  }

  /// Moves the sums along between operations.
  public func poll() throws(CommunicationError) { try sum?.poll() }

  /// Waits; the first block then holds the sums.
  public func finishGradients(_ blocks: [Storage]) throws(CommunicationError) -> Storage {
    try sum?.finish()
    return blocks[0]
  }

  /// The bytes of the sums.
  public func bytesSent(step: Int) -> Int? { sum?.bytesSent }
}
