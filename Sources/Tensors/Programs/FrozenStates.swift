/// A model that does not learn, its parameters and states kept among the states of another model's layout.
public struct FrozenStates: Sendable {
  private let parameters: [Int: ModelState]
  private let states: [Int: ModelState]

  /// Declares a state that never moves for each parameter and each state of a layout, under their names and starting as they
  /// start.
  public init(_ layout: ParameterLayout, in scope: inout ParameterScope) {
    var parameters: [Int: ModelState] = [:]
    var states: [Int: ModelState] = [:]
    for parameter in layout.parameters {
      parameters[parameter.range.lowerBound] = scope.state(
        parameter.name, parameter.shape, parameter.initialiser, .fixed)
    }
    for state in layout.states {
      states[state.range.lowerBound] = scope.state(state.name, state.shape, state.initialiser, .fixed)
    }
    (self.parameters, self.states) = (parameters, states)
  }

  /// Where a parameter of the frozen model lies.
  subscript(parameter: Parameter) -> ModelState { known(parameters[parameter.range.lowerBound], parameter.name) }

  /// Where a state of the frozen model lies.
  subscript(state: ModelState) -> ModelState { known(states[state.range.lowerBound], state.name) }

  private func known(_ state: ModelState?, _ name: String) -> ModelState {
    guard let state else { preconditionFailure("\(name) is not of the frozen model") }
    return state
  }
}
