import Communication
import Compression
import Tensors

/// Matrices as products of thin factors that are summed over shards, first the left ones, then the right; whatever else
/// there is travels with the left factors, exactly.
///
/// A parameter of d₀ × d₁ × … is a matrix of d₀ rows where its factors are less than half as large (``LowRank/pays``).
/// Every shard keeps what the sum of all left out of its own matrix, 1/S of that sum taken off; the right factors start
/// from those of the step before.  Sends 4(h(n − nᵣ) + (p − 1)nᵣ) bytes a bucket twice: for the n = Σ r·rows + Σ others
/// of the left factors and the n = Σ r·columns of the right, nᵣ of them owned, with h shards held by the rank.
public final class LowRankExchange: BucketExchange {
  private struct Matrix {
    let parameter: Int
    let range: Range<Int>
    let factors: LowRank
    /// Where its factors begin in those of its bucket.
    let left: Int
    let right: Int
    /// Where its right factor is remembered.
    let warm: Int
  }

  private struct Exact {
    let range: Range<Int>
    /// Where it begins behind the left factors of its bucket.
    let left: Int
  }

  private let plan: ExchangePlan
  private let matrices: [[Matrix]]
  private let exact: [[Exact]]
  private let lefts: ShardVectors
  private let rights: ShardVectors
  /// Right factors of the step before.
  private let warm: Storage
  /// What was left out, by shard of this rank.
  private let residuals: [Storage]

  /// Factors of `rank` columns.  Collective.
  public init(_ plan: ExchangePlan, rank: Int) throws(CommunicationError) {
    self.plan = plan
    var matrices: [[Matrix]] = []
    var exact: [[Exact]] = []
    var counts: [(left: Int, right: Int)] = []
    var end = 0
    for pieces in BucketPieces(plan, byteCount: { $0 }).pieces {
      var (left, right) = (0, 0)
      var bucket: ([Matrix], [Exact]) = ([], [])
      for piece in pieces {
        let rows = plan.layout.parameters[piece.parameter].shape.dimensions.first ?? 1
        let columns = piece.range.count / rows
        if LowRank.pays(rows: rows, columns: columns, rank: rank) {
          let factors = LowRank(rows: rows, columns: columns, rank: rank)
          bucket.0.append(
            Matrix(
              parameter: piece.parameter, range: piece.range, factors: factors, left: left, right: right, warm: end))
          left += factors.leftCount
          right += factors.rightCount
          end += factors.rightCount
        } else {
          bucket.1.append(Exact(range: piece.range, left: left))
          left += piece.range.count
        }
      }
      matrices.append(bucket.0)
      exact.append(bucket.1)
      counts.append((left, right))
    }
    self.matrices = matrices
    self.exact = exact
    lefts = try ShardVectors(plan, counts: counts.map(\.left))
    rights = try ShardVectors(plan, counts: counts.map(\.right))
    warm = Storage(zeros: end)
    residuals = plan.shards.map { _ in Storage(zeros: plan.layout.parameterCount) }
    for matrix in matrices.joined() {
      matrix.factors.initialise(
        warm.base + matrix.warm, key: CompressionKey(seed: plan.seed, step: 0, bucket: matrix.parameter))
    }
  }

  /// Residuals of this rank's shards and the right factors; both factors, and what is no matrix, for each shard.
  static func bytes(_ share: RankShare, rank: Int) -> StrategyBytes {
    let held = share.shards.count
    var (factors, right) = (0, 0)
    for parameter in share.layout.parameters {
      let rows = max(1, parameter.shape.dimensions.first ?? 1)
      let columns = parameter.range.count / rows
      let pays = LowRank.pays(rows: rows, columns: columns, rank: rank)
      factors += pays ? rank * (rows + columns) : parameter.range.count
      right += pays ? rank * columns : 0
    }
    return StrategyBytes(remembered: held * share.weightBytes + 4 * right, working: 4 * held * factors)
  }

  /// Starts the sum of P = M Q and of what is no matrix.
  public func start(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    for matrix in matrices[bucket] { matrix.factors.orthonormalise(right: warm.base + matrix.warm) }
    for (index, block) in blocks.enumerated() {
      let left = lefts.vector(index, bucket: bucket)
      for matrix in matrices[bucket] {
        let residual = residuals[index].base + matrix.range.lowerBound
        VectorMath.add(block.base + matrix.range.lowerBound, to: residual, count: matrix.range.count)
        matrix.factors.multiply(residual, right: warm.base + matrix.warm, into: left + matrix.left)
      }
      for piece in exact[bucket] {
        (left + piece.left).update(from: block.base + piece.range.lowerBound, count: piece.range.count)
      }
    }
    try lefts.sum.start(bucket, lefts.blocks)
  }

  /// Makes P orthonormal and starts the sum of Q = Mᵀ P.
  public func turn(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try lefts.sum.finish(bucket)
    let left = lefts.vector(0, bucket: bucket)
    for matrix in matrices[bucket] {
      matrix.factors.orthonormalise(left: left + matrix.left)
      for (index, residual) in residuals.enumerated() {
        matrix.factors.multiply(
          residual.base + matrix.range.lowerBound, left: left + matrix.left,
          into: rights.vector(index, bucket: bucket) + matrix.right)
      }
    }
    try rights.sum.start(bucket, rights.blocks)
  }

  /// Multiplies the factors, and keeps what they leave out.
  public func finish(_ bucket: Int, step: Int, _ blocks: [Storage]) throws(CommunicationError) {
    try rights.sum.finish(bucket)
    let (left, right) = (lefts.vector(0, bucket: bucket), rights.vector(0, bucket: bucket))
    let share = -1 / Float(plan.tree.shards)
    for matrix in matrices[bucket] {
      let (start, factors) = (matrix.range.lowerBound, matrix.factors)
      let (p, q) = (left + matrix.left, right + matrix.right)
      (blocks[0].base + start).update(repeating: 0, count: matrix.range.count)
      factors.add(left: p, right: q, scaledBy: 1, to: blocks[0].base + start)
      for residual in residuals { factors.add(left: p, right: q, scaledBy: share, to: residual.base + start) }
      (warm.base + matrix.warm).update(from: q, count: factors.rightCount)
    }
    for piece in exact[bucket] {
      (blocks[0].base + piece.range.lowerBound).update(from: left + piece.left, count: piece.range.count)
    }
  }

  /// Moves the sums along.
  public func poll() throws(CommunicationError) {
    try lefts.sum.poll()
    try rights.sum.poll()
  }

  /// The right factors, and what was left out.
  public var memory: [StrategyMemory] {
    [StrategyMemory("right-factors", of: .everyone, warm)]
      + zip(plan.shards, residuals).map { StrategyMemory("residual", of: .shard($0), $1) }
  }

  /// The bytes of the sums.
  public func bytesSent(step: Int) -> Int { lefts.sum.bytesSent + rights.sum.bytesSent }
}
