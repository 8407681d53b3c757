import Tensors

/// Which scalars of a model all clients share: ranges of the parameter block with the state block behind it.  The others are
/// each client's own.  Packed, they lie one after the other.
public struct SharedScalars: Sendable, Hashable {
  /// Ascending, without gaps of nothing between two.
  public let ranges: [Range<Int>]
  /// Scalars in all of them.
  public let count: Int
  /// Scalars of the parameter block, behind which the states begin.
  private let parameters: Int
  /// Scalars of both blocks.
  private let total: Int

  /// All scalars of a model, or those of the parameters and states that are `kept` by name.
  public init(_ layout: ParameterLayout, where kept: (_ name: String) -> Bool = { _ in true }) {
    parameters = layout.parameterCount
    total = layout.parameterCount + layout.stateCount
    var ranges: [Range<Int>] = []
    func add(_ range: Range<Int>) {
      if let last = ranges.last, last.upperBound == range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
      } else {
        ranges.append(range)
      }
    }
    for parameter in layout.parameters where kept(parameter.name) { add(parameter.range) }
    for state in layout.states where kept(state.name) {
      add(state.range.lowerBound + parameters..<state.range.upperBound + parameters)
    }
    self.ranges = ranges
    count = ranges.reduce(0) { $0 + $1.count }
  }

  private init(_ ranges: [Range<Int>], parameters: Int, total: Int) {
    self.ranges = ranges
    count = ranges.reduce(0) { $0 + $1.count }
    self.parameters = parameters
    self.total = total
  }

  /// The scalars that these are not.
  public var others: SharedScalars {
    var gaps: [Range<Int>] = []
    var end = 0
    for range in ranges + [total..<total] {
      if end < range.lowerBound { gaps.append(end..<range.lowerBound) }
      end = range.upperBound
    }
    return SharedScalars(gaps, parameters: parameters, total: total)
  }

  /// Where each shared parameter lies in the packed scalars, then each shared state.  Precondition: a parameter is shared whole or
  /// not at all.
  func pieces(of layout: ParameterLayout) -> [Range<Int>] {
    let tensors =
      layout.parameters.map(\.range)
      + layout.states.map { $0.range.lowerBound + parameters..<$0.range.upperBound + parameters }
    var pieces: [Range<Int>] = []
    var first = 0
    for range in ranges {
      for tensor in tensors where range.contains(tensor.lowerBound) {
        precondition(tensor.upperBound <= range.upperBound, "a parameter that is shared in part")
        pieces.append(first..<first + tensor.count)
        first += tensor.count
      }
    }
    precondition(first == count, "\(first) of \(count) shared scalars belong to parameters")
    return pieces
  }

  /// Calls `body` with each stretch of one block: the block, the first scalar in it, the first packed one, and how many.
  @inline(__always)
  private func pieces(
    _ store: ParameterStore, _ body: (UnsafeMutablePointer<Float>, _ packed: Int, _ count: Int) -> Void
  ) {
    var packed = 0
    for range in ranges {
      let inParameters = range.clamped(to: 0..<parameters)
      if !inParameters.isEmpty { body(store.parameters.base + inParameters.lowerBound, packed, inParameters.count) }
      let inStates = range.clamped(to: parameters..<total)
      if !inStates.isEmpty {
        body(
          store.states.base + (inStates.lowerBound - parameters), packed + range.count - inStates.count, inStates.count)
      }
      packed += range.count
    }
  }

  /// The stretches of a store that these are, in order; none is empty.
  func stretches(of store: ParameterStore) -> [UnsafeMutableBufferPointer<Float>] {
    var stretches: [UnsafeMutableBufferPointer<Float>] = []
    pieces(store) { scalars, _, count in
      if count > 0 { stretches.append(UnsafeMutableBufferPointer(start: scalars, count: count)) }
    }
    return stretches
  }

  /// packed ← scalars of a store.
  public func gather(_ store: ParameterStore, into packed: UnsafeMutablePointer<Float>) {
    pieces(store) { scalars, first, count in (packed + first).update(from: scalars, count: count) }
  }

  /// scalars of a store ← packed.
  public func scatter(_ packed: UnsafePointer<Float>, into store: ParameterStore) {
    pieces(store) { scalars, first, count in scalars.update(from: packed + first, count: count) }
  }

  /// The same scalars of one store ← those of another.
  public func copy(_ source: ParameterStore, into store: ParameterStore) {
    for range in ranges {
      let inParameters = range.clamped(to: 0..<parameters)
      (store.parameters.base + inParameters.lowerBound).update(
        from: source.parameters.base + inParameters.lowerBound, count: inParameters.count)
      let inStates = range.clamped(to: parameters..<total)
      if inStates.isEmpty { continue }
      (store.states.base + (inStates.lowerBound - parameters)).update(
        from: source.states.base + (inStates.lowerBound - parameters), count: inStates.count)
    }
  }

  /// packed ← after − before.
  public func difference(
    of after: ParameterStore, from before: ParameterStore, into packed: UnsafeMutablePointer<Float>
  ) {
    gather(after, into: packed)
    pieces(before) { scalars, first, count in SharedScalars.subtract(scalars, from: packed + first, count) }
  }

  /// scalars of a store += factor · packed.
  public func add(_ packed: UnsafePointer<Float>, scaledBy factor: Float = 1, to store: ParameterStore) {
    pieces(store) { scalars, first, count in SharedScalars.add(packed + first, factor, to: scalars, count) }
  }

  @inline(never)
  private static func subtract(_ x: UnsafePointer<Float>, from y: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      y[i] -= x[i]
      i &+= 1
    }
  }

  @inline(never)
  private static func add(
    _ x: UnsafePointer<Float>, _ factor: Float, to y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var i = 0
    while i < count {
      y[i] += factor * x[i]
      i &+= 1
    }
  }
}
