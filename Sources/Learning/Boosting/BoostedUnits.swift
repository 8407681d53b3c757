import Glibc

/// The shape of a small network of logistic units in Float64: f(x) = V σ(W x + b) + c.
///
/// Its numbers lie one after the other: a row (W, b) a unit, then a row (V, c) an output.
package struct BoostedUnits: Sendable {
  package let inputs: Int
  package let units: Int
  package let outputs: Int

  package init(inputs: Int, units: Int, outputs: Int) {
    (self.inputs, self.units, self.outputs) = (inputs, units, outputs)
  }

  /// Numbers of a network.
  package var count: Int { units * (inputs + 1) + outputs * (units + 1) }
  /// The first number of a unit: its weights, then its bias.
  package func unit(_ index: Int) -> Int { index * (inputs + 1) }
  /// The first number of an output: a weight a unit, then a bias.
  package func output(_ index: Int) -> Int { units * (inputs + 1) + index * (units + 1) }

  /// 1 / (1 + e⁻ˣ).
  package static func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// σ(W x + b) of one row, and f.
  package func apply(
    _ numbers: UnsafePointer<Double>, _ x: UnsafePointer<Float>, hidden: UnsafeMutablePointer<Double>,
    into f: UnsafeMutablePointer<Double>
  ) {
    for unit in 0..<units {
      let weights = numbers + self.unit(unit)
      hidden[unit] = BoostedUnits.logistic(MixedPrecision.dot(x, weights, inputs) + weights[inputs])
    }
    for output in 0..<outputs {
      let weights = numbers + self.output(output)
      var sum = weights[units]
      for unit in 0..<units { sum += weights[unit] * hidden[unit] }
      f[output] = sum
    }
  }

  /// ½ ‖r − f(x)‖² of one row times `weight`; its gradient is added to `gradient`.  `scratch` holds units + 2 · outputs numbers.
  package func addFit(
    _ numbers: UnsafePointer<Double>, _ x: UnsafePointer<Float>, _ r: UnsafePointer<Double>, weight: Double,
    gradient: UnsafeMutablePointer<Double>, scratch: UnsafeMutablePointer<Double>
  ) -> Double {
    let (hidden, f, error) = (scratch, scratch + units, scratch + units + outputs)
    apply(numbers, x, hidden: hidden, into: f)
    var loss = 0.0
    for output in 0..<outputs {
      let difference = f[output] - r[output]
      loss += 0.5 * weight * difference * difference
      error[output] = weight * difference
      let slopes = gradient + self.output(output)
      for unit in 0..<units { slopes[unit] += error[output] * hidden[unit] }
      slopes[units] += error[output]
    }
    for unit in 0..<units {
      var slope = 0.0
      for output in 0..<outputs { slope += error[output] * numbers[self.output(output) + unit] }
      slope *= hidden[unit] * (1 - hidden[unit])
      let slopes = gradient + self.unit(unit)
      MixedPrecision.add(slope, x, to: slopes, inputs)
      slopes[inputs] += slope
    }
    return loss
  }
}

/// Loops over Float32 samples and Float64 weights.
package enum MixedPrecision {
  /// Σ xᵢ wᵢ.
  package static func dot(_ x: UnsafePointer<Float>, _ w: UnsafePointer<Double>, _ count: Int) -> Double {
    let (left, right) = (UnsafeRawPointer(x), UnsafeRawPointer(w))
    var sums = SIMD8<Double>.zero
    var i = 0
    while i &+ 8 <= count {
      let a = SIMD8<Double>(left.loadUnaligned(fromByteOffset: i &* 4, as: SIMD8<Float>.self))
      sums += a * right.loadUnaligned(fromByteOffset: i &* 8, as: SIMD8<Double>.self)
      i &+= 8
    }
    var total = sums.sum()
    while i < count {
      total += Double(x[i]) * w[i]
      i &+= 1
    }
    return total
  }

  /// y += factor · x.
  package static func add(
    _ factor: Double, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    var i = 0
    while i < count {
      y[i] += factor * Double(x[i])
      i &+= 1
    }
  }
}
