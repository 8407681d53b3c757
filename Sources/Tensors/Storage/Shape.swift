/// The extents of a dense row-major array, outermost first.  Shapes exist while a program is recorded, never in a step.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// Extent of each axis.
  public let dimensions: [Int]

  /// A shape of the given extents, none of them negative.
  public init(_ dimensions: [Int]) {
    precondition(dimensions.allSatisfy { $0 >= 0 }, "negative extent in \(dimensions)")
    self.dimensions = dimensions
  }

  /// A shape of the given extents.
  public init(arrayLiteral elements: Int...) { self.init(elements) }

  /// Number of axes.
  public var rank: Int { dimensions.count }

  /// Number of scalars.
  public var count: Int { dimensions.reduce(1, *) }

  /// Extent of an axis; negative axes count from the last.
  public subscript(axis: Int) -> Int { dimensions[axis < 0 ? axis + rank : axis] }

  /// The shape without its first axis: that of one sample of a batch.
  public var sample: Shape { Shape(Array(dimensions.dropFirst())) }

  /// The shape with a first axis of `batch` samples.
  public func batched(_ batch: Int) -> Shape { Shape([batch] + dimensions) }

  /// For example `[64, 28, 28, 1]`.
  public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}
