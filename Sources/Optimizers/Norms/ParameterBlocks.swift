import Tensors

/// The parameter block cut into pieces of 4,096 scalars from each parameter's start, the last piece of each shorter.
///
/// Sums over parameters are Float64 sums of these pieces combined in their order, so that they do not depend on who computed
/// which piece.  Shards of parameters are cut at their edges.
public struct ParameterBlocks: Sendable {
  /// Where each block starts, then the end of the last: `count + 1` scalars.
  private let edges: [Int]
  /// The first block of each parameter, then `count`.
  private let first: [Int]
  /// Axes of each parameter.
  private let axes: [Int]

  /// Scalars of a full block.
  public static let size = Reductions.block

  /// The blocks of all parameters of a layout.
  public init(_ layout: ParameterLayout) {
    var edges: [Int] = []
    var first: [Int] = []
    var end = 0
    for parameter in layout.parameters {
      precondition(parameter.range.lowerBound == end, "\(parameter.name) does not follow its predecessor")
      first.append(edges.count)
      edges += stride(from: parameter.range.lowerBound, to: parameter.range.upperBound, by: Self.size)
      end = parameter.range.upperBound
    }
    first.append(edges.count)
    edges.append(end)
    self.edges = edges
    self.first = first
    axes = layout.parameters.map(\.shape.rank)
  }

  /// Number of blocks.
  public var count: Int { edges.count - 1 }
  /// Number of parameters.
  public var parameterCount: Int { first.count - 1 }

  /// The scalars of a block.
  public func scalars(ofBlock block: Int) -> Range<Int> { edges[block]..<edges[block + 1] }
  /// The scalars of a parameter.
  public func scalars(ofParameter parameter: Int) -> Range<Int> {
    edges[first[parameter]]..<edges[first[parameter + 1]]
  }
  /// The blocks of a parameter.
  public func blocks(ofParameter parameter: Int) -> Range<Int> { first[parameter]..<first[parameter + 1] }
  /// Number of axes of a parameter.
  public func axes(ofParameter parameter: Int) -> Int { axes[parameter] }

  /// The blocks that make up a range of scalars.  Precondition: the range is cut at block edges.
  public func blocks(in scalars: Range<Int>) -> Range<Int> {
    if scalars.isEmpty { return 0..<0 }
    let range = block(at: scalars.lowerBound)..<block(at: scalars.upperBound)
    precondition(
      edges[range.lowerBound] == scalars.lowerBound && edges[range.upperBound] == scalars.upperBound,
      "scalars \(scalars) are not cut at edges of blocks")
    return range
  }

  /// The parameters that have scalars in a range.
  public func parameters(in scalars: Range<Int>) -> Range<Int> {
    if scalars.isEmpty { return 0..<0 }
    let lower = partition(first.count) { edges[first[$0]] > scalars.lowerBound } - 1
    return lower..<partition(first.count) { edges[first[$0]] >= scalars.upperBound }
  }

  /// The greatest edge of a block that is not beyond a scalar.
  public func edge(notBeyond scalar: Int) -> Int { edges[block(at: scalar)] }

  /// Cuts all scalars into consecutive ranges that differ by about a block; some are empty where blocks are few.
  public func parts(_ number: Int) -> [Range<Int>] { parts(of: 0..<edges[count], number) }

  /// Cuts a range, itself cut at edges of blocks, into consecutive ranges that differ by about a block.
  public func parts(of range: Range<Int>, _ number: Int) -> [Range<Int>] {
    precondition(number >= 1, "\(number) parts")
    let cuts = (0...number).map { edge(notBeyond: range.lowerBound + range.count * $0 / number) }
    return (0..<number).map { max(range.lowerBound, cuts[$0])..<max(range.lowerBound, cuts[$0 + 1]) }
  }

  /// The last block that starts at or before a scalar; `count` for the end.
  private func block(at scalar: Int) -> Int {
    precondition(scalar >= 0 && scalar <= edges[count], "scalar \(scalar) of \(edges[count])")
    return partition(edges.count) { edges[$0] > scalar } - 1
  }

  /// The least index for which a monotone condition holds, `count` when it holds for none.
  private func partition(_ count: Int, where condition: (Int) -> Bool) -> Int {
    var (lower, upper) = (0, count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if condition(middle) { upper = middle } else { lower = middle + 1 }
    }
    return lower
  }
}
