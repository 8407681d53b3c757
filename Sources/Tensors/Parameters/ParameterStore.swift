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

  /// Moves states: state ← (1 − momentum) · state + momentum · target, where the target is the statistic at the end of a
  /// gradient block, or a parameter.
  ///
  /// Only `places` of the layout's states are moved, where given.
  public func moveStates(_ gradients: Storage, places: [Int]? = nil) {
    let statistics = gradients.base + layout.parameterCount
    for state in places.map({ $0.map { layout.states[$0] } }) ?? layout.states {
      guard let range = state.statistic, case .statistic(let momentum) = state.motion else { continue }
      move(state, towards: statistics + range.lowerBound, momentum)
    }
  }

  /// Moves the states that follow parameters; before the parameters move.
  public func followParameters() {
    for state in layout.states {
      guard case .following(let parameter, let momentum) = state.motion else { continue }
      move(state, towards: parameters.base + parameter.lowerBound, momentum)
    }
  }

  private func move(_ state: ModelState, towards target: UnsafePointer<Float>, _ momentum: Float) {
    let scalars = states.base + state.range.lowerBound
    for i in 0..<state.range.count { scalars[i] += momentum * (target[i] - scalars[i]) }
  }
}
