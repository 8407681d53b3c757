/// Random numbers for each sample, keyed by seed, epoch, the sample's key and a random layer.
struct RandomNumbers: Operation {
  /// How they are distributed.
  enum Distribution: Sendable {
    /// Standard normal.
    case normal
    /// Uniform in [0, 1); a second output takes what is missing to 1.
    case uniform
  }

  let name = "random numbers"
  let distribution: Distribution
  let samples: Int
  /// Scalars of a sample.
  let size: Int
  let layer: UInt64
  var staysInStep: Bool { true }

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 40 * samples * size }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (y, rest) = (at.outputs[0], at.outputs.last ?? at.outputs[0])
      return { run in
        for sample in 0..<samples {
          var random = RandomStream(
            seed: run.seed, .noise, epoch: run.epoch, sample: run.sampleKeys[sample], layer: layer)
          let start = sample &* size
          for i in start..<start &+ size {
            switch distribution {
            case .normal: run[y][i] = random.normal()
            case .uniform:
              let number = random.uniform()
              (run[y][i], run[rest][i]) = (number, 1 - number)
            }
          }
        }
      }
    }
  }
}

/// The same scalars in every run.
struct Constants: Operation {
  let name = "constants"
  let scalars: [Float]

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let y = at.outputs[0]
      return { run in for i in 0..<scalars.count { run[y][i] = scalars[i] } }
    }
  }
}

extension Recorder {
  /// Standard normal numbers for each sample, `[batch] + sample`, keyed by seed, epoch, sample and random layer.
  public func noise(_ sample: Shape) -> Value {
    append(
      RandomNumbers(distribution: .normal, samples: batch, size: sample.count, layer: nextRandomLayer()), [],
      [.new(sample.batched(batch))])[0]
  }

  /// A number t of [0, 1) for each sample, keyed likewise, and 1 − t: both `[batch]`.
  public func randomTimes() -> (times: Value, left: Value) {
    let made = append(
      RandomNumbers(distribution: .uniform, samples: batch, size: 1, layer: nextRandomLayer()), [],
      [.new([batch]), .new([batch])])
    return (made[0], made[1])
  }

  /// Given scalars: `[count]`.
  public func constants(_ scalars: [Float]) -> Value {
    append(Constants(scalars: scalars), [], [.new([scalars.count])])[0]
  }
}
