extension ParameterLayout {
  /// What was declared first: so many parameters and states.
  package func prefix(parameters: Int, states: Int) -> ParameterLayout {
    var part = ParameterLayout()
    part.parameters = Array(self.parameters.prefix(parameters))
    part.states = Array(self.states.prefix(states))
    return part
  }

  /// The same with other initial values where `initialiser` has some for a parameter.
  package func initialising(_ initialiser: (Parameter) -> Initialiser?) -> ParameterLayout {
    var other = self
    other.parameters = parameters.map { parameter in
      Parameter(
        name: parameter.name, shape: parameter.shape, range: parameter.range,
        initialiser: initialiser(parameter) ?? parameter.initialiser, isFollower: parameter.isFollower)
    }
    return other
  }
}
