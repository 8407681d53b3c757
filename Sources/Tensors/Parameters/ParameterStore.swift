/// The weights of one replica: a parameter block and a state block.
///
/// Gradients live in blocks of their own (`Storage` of `layout.gradientCount` scalars), because a rank holds one for each
/// subtree of shards that it sums.
public final class ParameterStore: Sendable {
  /// Names and ranges.
  public let layout: ParameterLayout
  /// Scalars of all parameters, in order of declaration.
  public let parameters: Storage
  /// Scalars of all states.
  public let states: Storage

  /// A store of zeros.
  public init(_ layout: ParameterLayout) {
    self.layout = layout
    parameters = Storage(zeros: layout.parameterCount)
    states = Storage(zeros: layout.stateCount)
  }

  /// Moves every state towards the statistics at the end of a gradient block:
  /// state ← (1 − momentum) · state + momentum · statistic.
  public func moveStates(_ gradients: Storage) {
    let statistics = gradients.base + layout.parameterCount
    for state in layout.states {
      let scalars = states.base
      let momentum = state.momentum
      for i in state.range { scalars[i] += momentum * (statistics[i] - scalars[i]) }
    }
  }
}
