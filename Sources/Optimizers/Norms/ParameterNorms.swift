import Tensors

/// Norms of each parameter and its gradient before an update, summed as by ``GradientNorm``.
///
/// Ranks that hold shards measure their own blocks and exchange ``numbers`` (``numbersPerBlock`` for each block of `blocks`).
public final class ParameterNorms: Sendable {
  /// How the parameters are cut.
  public let blocks: ParameterBlocks
  private let storage: BlockNumbers

  /// Of each block: Σ w², Σ g², and the step they were measured at.
  public static let numbersPerBlock = 3

  /// Norms of a layout's parameters.
  public init(_ layout: ParameterLayout) {
    blocks = ParameterBlocks(layout)
    storage = BlockNumbers(count: blocks.count * Self.numbersPerBlock)
  }

  /// The numbers of all blocks, one block after the other.
  public var numbers: UnsafeMutableBufferPointer<Double> { storage.all }

  /// Measures the blocks of a range, which is cut at their edges.  Pointers stand for scalar 0 of the whole block.
  public func measure(
    parameters: UnsafePointer<Float>, gradients: UnsafePointer<Float>, range: Range<Int>, step: Int
  ) {
    let numbers = numbers
    for block in blocks.blocks(in: range) {
      let scalars = blocks.scalars(ofBlock: block)
      numbers[block * 3] = Reductions.squares(parameters + scalars.lowerBound, scalars.count)
      numbers[block * 3 + 1] = Reductions.squares(gradients + scalars.lowerBound, scalars.count)
      numbers[block * 3 + 2] = Double(step)
    }
  }

  /// The norms of a parameter.  Precondition: all of it was measured for this step.
  func layer(_ parameter: Int, step: Int, gradientScale: Float) -> UpdateSlice.Layer {
    let numbers = numbers
    var (weights, gradients) = (0.0, 0.0)
    for block in blocks.blocks(ofParameter: parameter) {
      precondition(numbers[block * 3 + 2] == Double(step), "parameter \(parameter) was not measured for step \(step)")
      weights += numbers[block * 3]
      gradients += numbers[block * 3 + 1]
    }
    return UpdateSlice.Layer(
      axes: blocks.axes(ofParameter: parameter), parameterNorm: weights.squareRoot(),
      gradientNorm: gradients.squareRoot() * Double(gradientScale))
  }
}
