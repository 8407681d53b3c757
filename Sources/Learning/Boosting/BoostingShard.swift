import Datasets
import Layers
import Tensors

/// Some samples of the training set in memory, with what the units of a boosted model make of them, in Float64.
///
/// Memory: 4 bytes an input scalar and 24 an output of each sample.  Belongs to one thread at a time.
package final class BoostingShard {
  /// Numbers of the samples.
  package let samples: Range<Int>
  private let network: BoostedNetwork
  private let inputs: Storage
  /// `[samples, outputs]`: the targets, Σ w σ over the units so far, and what is left over.
  private let targets: UnsafeMutablePointer<Double>
  private let sums: UnsafeMutablePointer<Double>
  private let residuals: UnsafeMutablePointer<Double>
  private let scratch: UnsafeMutablePointer<Double>
  /// Places of the samples that the present round is fitted to.
  private var chosen: [Int] = []

  private var width: Int { network.round.inputs }
  private var outputs: Int { network.loss.outputs }

  /// Reads samples as they are without augmentation, images in the order channel, height, width as `flatten` makes them.
  package init(_ samples: Range<Int>, of source: any DataSource, _ network: BoostedNetwork) {
    self.samples = samples
    self.network = network
    let outputs = network.loss.outputs
    func zeros(_ count: Int) -> UnsafeMutablePointer<Double> {
      let memory = UnsafeMutablePointer<Double>.allocate(capacity: max(1, count))
      memory.initialize(repeating: 0, count: max(1, count))
      return memory
    }
    inputs = Storage(zeros: max(1, samples.count * network.round.inputs))
    targets = zeros(samples.count * outputs)
    sums = zeros(samples.count * outputs)
    residuals = zeros(samples.count * outputs)
    scratch = zeros(network.round.units + 2 * outputs)
    let batch = Batch(capacity: 1, of: source)
    let shape = network.input.shape
    let (channels, positions) = shape.rank == 3 ? (shape[2], shape[0] * shape[1]) : (1, shape.count)
    for (row, sample) in samples.enumerated() {
      batch.fill(from: source, samples: [Int32(sample)], epoch: 0)
      let x = inputs.base + row * shape.count
      for position in 0..<positions {
        for channel in 0..<channels {
          x[channel * positions + position] = batch.inputFloats[position * channels + channel]
        }
      }
      let y = targets + row * outputs
      switch network.loss {
      case .squares: for index in 0..<outputs { y[index] = Double(batch.targetValues[index]) }
      case .twoClasses: y[0] = batch.targetClasses[0] == 1 ? 1 : -1
      case .classes: y[Int(batch.targetClasses[0])] = 1
      }
    }
  }

  deinit {
    for memory in [targets, sums, residuals, scratch] { memory.deallocate() }
  }

  /// Adds up the targets, an output each.
  package func addTargets(to total: UnsafeMutablePointer<Double>) {
    for index in 0..<samples.count * outputs { total[index % outputs] += targets[index] }
  }

  /// Adds what units of the model make, one after the other.
  package func add(units: Range<Int>, of store: ParameterStore) {
    for row in 0..<samples.count {
      for unit in units {
        let activation = network.activation(store, unit: unit, inputs.base + row * width)
        for output in 0..<outputs {
          sums[row * outputs + output] += network.weight(store, unit: unit, output: output) * activation
        }
      }
    }
  }

  /// Works out what the model leaves over, and which samples of `subsample`, in rising order, are of this shard.
  package func begin(_ store: ParameterStore, subsample: [Int32]) {
    chosen = subsample.lazy.map(Int.init).filter(samples.contains).map { $0 - self.samples.lowerBound }
    for row in 0..<samples.count {
      let first = row * outputs
      withF(row, store) { network.loss.residual(targets + first, $0, into: residuals + first) }
    }
  }

  /// Adds the loss of a fit and its gradient: `total[0]` is the loss.
  package func addFit(_ numbers: UnsafePointer<Double>, weight: Double, to total: UnsafeMutablePointer<Double>) {
    for row in chosen {
      total[0] += network.round.addFit(
        numbers, inputs.base + row * width, residuals + row * outputs, weight: weight, gradient: total + 1,
        scratch: scratch)
    }
  }

  /// Adds both sides of the quotient that says how far new units count.
  package func addNewton(_ numbers: UnsafePointer<Double>, to total: UnsafeMutablePointer<Double>) {
    let f = scratch + network.round.units
    for row in 0..<samples.count {
      let first = row * outputs
      network.round.apply(numbers, inputs.base + row * width, hidden: scratch, into: f)
      let step = network.loss.newton(targets + first, residuals + first, f)
      total[0] += step.slope
      total[1] += step.curvature
    }
  }

  /// Adds the loss of the model and the number of samples whose class is right.
  package func addLoss(_ store: ParameterStore, to total: UnsafeMutablePointer<Double>) {
    for row in 0..<samples.count {
      let loss = withF(row, store) { network.loss.loss(targets + row * outputs, $0) }
      total[0] += loss.value
      if loss.isRight { total[1] += 1 }
    }
  }

  /// F of a sample.
  private func withF<Result>(
    _ row: Int, _ store: ParameterStore, _ body: (UnsafePointer<Double>) -> Result
  ) -> Result {
    let f = scratch + network.round.units
    for output in 0..<outputs { f[output] = sums[row * outputs + output] + network.bias(store, output: output) }
    return body(f)
  }
}
