/// Samples whose first scalars, in the order of `flatten`, are overwritten with a label (Hinton 2022, section 3.3).
struct LabelOverlay: Operation {
  /// What is written.
  enum Label: Sendable {
    /// Two rows a sample, one after the other: its class, and another class drawn at random.
    case pair(layer: UInt64)
    /// 0.1 for every class.
    case neutral
    /// The same class for all samples.
    case constant(Int)
  }

  let name = "label overlay"
  let label: Label
  let samples: Int
  let size: Int
  /// Where in a sample the scalar of each class lies.
  let places: [Int]

  func flops(_ inputs: [ValueDescription], _ outputs: [ValueDescription]) -> Int { 0 }

  func lower(_ inputs: [ValueDescription], _ outputs: [ValueDescription], _ compute: Compute) -> Lowering {
    Lowering { at in
      let (x, y, targets) = (at.inputs[0], at.outputs[0], at.inputs.last ?? at.inputs[0])
      return { run in
        for sample in 0..<samples {
          let from = run[x] + sample &* size
          switch label {
          case .pair(let layer):
            let row = run[y] + 2 &* sample &* size
            let right = Int(run.integers(targets)[sample])
            write(right, from, row)
            var random = RandomStream(
              seed: run.seed, .label, epoch: run.epoch, sample: run.sampleKeys[sample], layer: layer)
            write((right &+ 1 &+ random.below(places.count - 1)) % places.count, from, row + size)
          case .neutral:
            let row = run[y] + sample &* size
            row.update(from: from, count: size)
            for place in places { row[place] = 0.1 }
          case .constant(let label): write(label, from, run[y] + sample &* size)
          }
        }
      }
    }
  }

  private func write(_ label: Int, _ from: UnsafePointer<Float>, _ row: UnsafeMutablePointer<Float>) {
    row.update(from: from, count: size)
    for (index, place) in places.enumerated() { row[place] = index == label ? 1 : 0 }
  }
}

extension Recorder {
  /// Two rows for each of the samples `x`, `[batch, …] → [2 · batch, …]`: row 2s has the class of sample s in its first
  /// `classes` scalars, as a one among zeros, row 2s + 1 one of the other classes, uniform and keyed by seed, epoch and sample.
  ///
  /// `targets` holds an Int32 class for each sample; the order of scalars is that of `flatten`.
  public func labelPairs(_ x: Value, _ targets: Value, classes: Int) -> Value {
    precondition(
      classes > 1 && self[targets].type == .int32 && shape(targets).count == shape(x)[0],
      "classes \(shape(targets)) of \(classes) for \(shape(x))")
    let operation = overlay(.pair(layer: nextRandomLayer()), x, classes)
    return append(operation, [x, targets], [.new(shape(x).sample.batched(2 * shape(x)[0]))])[0]
  }

  /// The samples with 0.1 in the place of each class.
  public func neutralLabels(_ x: Value, classes: Int) -> Value {
    append(overlay(.neutral, x, classes), [x], [.new(shape(x))])[0]
  }

  /// The samples with the same label for all.
  public func label(_ x: Value, as label: Int, classes: Int) -> Value {
    precondition(label >= 0 && label < classes, "label \(label) of \(classes) classes")
    return append(overlay(.constant(label), x, classes), [x], [.new(shape(x))])[0]
  }

  private func overlay(_ label: LabelOverlay.Label, _ x: Value, _ classes: Int) -> LabelOverlay {
    let sample = shape(x).sample
    precondition(sample.count >= classes && !needsGradient(x), "\(classes) classes over \(sample)")
    let channels = sample.rank == 3 ? sample[-1] : 1
    let positions = sample.count / channels
    return LabelOverlay(
      label: label, samples: shape(x)[0], size: sample.count,
      places: (0..<classes).map { $0 % positions * channels + $0 / positions })
  }
}
