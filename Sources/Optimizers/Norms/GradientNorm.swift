import Tensors

/// The Euclidean norm of a flat gradient over all parameters, and the scale that clips it.
///
/// Squares are summed in Float64 over the blocks of ``ParameterBlocks`` and combined in their order: the norm is a function of
/// the gradient alone.  Parts of the gradient may be measured by several threads, or by ranks that exchange ``squares``.
public final class GradientNorm: Sendable {
  /// How the parameters are cut.
  public let blocks: ParameterBlocks
  private let numbers: BlockNumbers

  /// The norm of gradients of a layout's parameters.
  public init(_ layout: ParameterLayout) {
    blocks = ParameterBlocks(layout)
    numbers = BlockNumbers(count: blocks.count)
  }

  /// Σ g² of each block; not-a-number until measured.
  public var squares: UnsafeMutableBufferPointer<Double> { numbers.all }

  /// Measures the blocks of a range, which is cut at their edges.  `gradients` stands for scalar 0 of the whole block.
  public func measure(_ gradients: UnsafePointer<Float>, range: Range<Int>) {
    let squares = squares
    for block in blocks.blocks(in: range) {
      let scalars = blocks.scalars(ofBlock: block)
      squares[block] = Reductions.squares(gradients + scalars.lowerBound, scalars.count)
    }
  }

  /// The norm, from what was measured of all blocks.
  public var norm: Double { norm(ofBlocks: 0..<blocks.count) }

  /// The norm of a range of the gradient that is cut at edges of blocks, from what was measured of its blocks.
  public func norm(of range: Range<Int>) -> Double { norm(ofBlocks: blocks.blocks(in: range)) }

  private func norm(ofBlocks blocks: Range<Int>) -> Double {
    var total = 0.0
    for block in blocks { total += squares[block] }
    return total.squareRoot()
  }

  /// What to multiply a gradient of a norm with so that its norm is at most `clip`: min(1, clip / (norm + 10⁻⁶)), as PyTorch.
  /// Not a number for such a norm, so that a broken gradient is not hidden.
  public static func scale(norm: Double, clip: Double) -> Float {
    precondition(clip > 0, "clipping to a norm of \(clip)")
    let share = clip / (norm + 1e-6)
    return share >= 1 ? 1 : Float(share)
  }
}
