import Layers
import Tensors

/// Where the units of a boosted model lie among its parameters, and how they come to be there.
public struct BoostedNetwork: Sendable {
  package let input: Signal
  package let hidden: (weight: Parameter, bias: Parameter)
  package let output: (weight: Parameter, bias: Parameter)
  package let loss: BoostingLoss
  /// The units of one round.
  package let round: BoostedUnits
  package let rounds: Int
  package let shrinkage: Double
  package let optimiser: LimitedMemoryBFGS

  /// Hidden units of the model.
  package var units: Int { rounds * round.units }

  /// Rows of the model's last layer that hold an output, and with which sign.
  private func rows(of output: Int) -> [(row: Int, sign: Float)] {
    guard loss == .twoClasses else { return [(row: output, sign: 1)] }
    return [(row: 1, sign: 1), (row: 0, sign: -1)]
  }

  /// The weight of a unit in an output, as the model has it.
  package func weight(_ store: ParameterStore, unit: Int, output index: Int) -> Double {
    Double(store.parameters.base[output.weight.range.lowerBound + rows(of: index)[0].row * units + unit])
  }

  /// What an output begins with, as the model has it.
  package func bias(_ store: ParameterStore, output index: Int) -> Double {
    Double(store.parameters.base[output.bias.range.lowerBound + rows(of: index)[0].row])
  }

  /// σ(w x + b) of a unit of the model.
  package func activation(_ store: ParameterStore, unit: Int, _ x: UnsafePointer<Float>) -> Double {
    let weights = store.parameters.base + hidden.weight.range.lowerBound + unit * round.inputs
    let bias = Double(store.parameters.base[hidden.bias.range.lowerBound + unit])
    return BoostedUnits.logistic(Reductions.dot(weights, x, round.inputs) + bias)
  }

  /// A model of no units.
  package func clear(_ store: ParameterStore, beginning: [Double]) {
    store.parameters.clear()
    for (index, value) in beginning.enumerated() {
      for place in rows(of: index) {
        store.parameters.base[output.bias.range.lowerBound + place.row] = place.sign * Float(value)
      }
    }
  }

  /// The start of a round's fit, keyed by seed and round.
  package func start(round index: Int, seed: UInt64) -> [Double] {
    var random = RandomStream(seed: seed, .initialisation, epoch: UInt64(index) + 1)
    let bounds = [
      (round.output(0), (2 / Double(round.inputs + round.units)).squareRoot()),
      (round.count, (2 / Double(round.units + round.outputs)).squareRoot()),
    ]
    var numbers: [Double] = []
    for (end, bound) in bounds {
      while numbers.count < end { numbers.append((2 * random.uniformDouble() - 1) * bound) }
    }
    return numbers
  }

  /// Rounds the hidden units of a round to what the model holds.
  package func roundHidden(_ numbers: inout [Double]) {
    for index in 0..<round.output(0) { numbers[index] = Double(Float(numbers[index])) }
  }

  /// Adds the units of a round, whose outputs count `factor`, to the model.
  package func merge(_ numbers: [Double], factor: Double, round index: Int, into store: ParameterStore) {
    let parameters = store.parameters.base
    for unit in 0..<round.units {
      let (place, first) = (index * round.units + unit, round.unit(unit))
      for input in 0..<round.inputs {
        parameters[hidden.weight.range.lowerBound + place * round.inputs + input] = Float(numbers[first + input])
      }
      parameters[hidden.bias.range.lowerBound + place] = Float(numbers[first + round.inputs])
      for output in 0..<round.outputs {
        let weight = Float(factor * numbers[round.output(output) + unit])
        for (row, sign) in rows(of: output) {
          parameters[self.output.weight.range.lowerBound + row * units + place] = sign * weight
        }
      }
    }
    for output in 0..<round.outputs {
      let bias = Float(self.bias(store, output: output) + factor * numbers[round.output(output) + round.units])
      for (row, sign) in rows(of: output) { parameters[self.output.bias.range.lowerBound + row] = sign * bias }
    }
  }
}
