// Which gradients a program computes, and where they go.
extension Recorder {
  /// Instructions that were recorded together, and are differentiated together.
  public struct Segment: Sendable {
    let instructions: Range<Int>
  }

  /// Records and fuses a part of the program.  Of the values made, only those returned may be read outside of it.
  public func segment(_ record: () -> [Value]) -> (segment: Segment, values: [Value]) {
    isSegmented = true
    let first = instructions.count
    let values = record()
    fuse(from: first, keeping: values)
    return (Segment(instructions: first..<instructions.count), values)
  }

  /// Appends the gradient of a loss with respect to every parameter it depends on.
  ///
  /// Loss operations scale by `Run.targetWeight`; parameters that no loss reaches get zeros.
  public func differentiate(_ losses: [Value]) {
    differentiate(Segment(instructions: 0..<instructions.count), losses: losses)
    fillGradients()
  }

  /// Appends the gradients of losses within a segment, and what given gradients of its values contribute.
  ///
  /// What flows to values that the segment only reads can be asked for with `gradient(of:)`.
  public func differentiate(
    _ segment: Segment, losses: [Value] = [], seeds: [(value: Value, gradient: Value)] = []
  ) {
    precondition(mode == .training, "gradients of a program recorded for evaluation")
    let outer = scopes
    isDifferentiating = true
    defer { (isDifferentiating, scopes) = (false, outer) }
    for loss in losses { gradients[loss] = loss }
    for seed in seeds { contribute(seed.gradient, to: seed.value) }
    for instruction in instructions[segment.instructions].reversed()
    where instruction.outputs.contains(where: { gradients[$0] != nil }) {
      scopes = [instruction.scope]
      instruction.operation.differentiate(instruction, self)
    }
  }

  /// Gives zeros to the parameters that nothing has reached, or to some of them; the last of the gradients.
  public func fillGradients(where isOwn: (Parameter) -> Bool = { _ in true }) {
    isDifferentiating = true
    defer { isDifferentiating = false }
    for parameter in layout.parameters
    where isOwn(parameter) && writtenGradients.insert(parameter.range.lowerBound).inserted {
      append(Fill(value: 0), [], [.existing(gradientValue(parameter.range.lowerBound, parameter.shape))])
    }
  }

  /// The gradient of a value so far, nil where no loss depends on it.
  public func gradient(of value: Value) -> Value? { gradients[value] }

  /// Whether gradients flow through a value.
  public func needsGradient(_ value: Value) -> Bool { self[value].dependsOnParameters }

  /// Adds `gradient` to that of `value`; does nothing where none is needed.
  public func contribute(_ gradient: Value, to value: Value) {
    guard needsGradient(value) else { return }
    if case .fixed(.parameters, _) = self[value].residence {
      let slot = gradientSlot(of: value)
      append(slot.accumulates ? Accumulate() : Copy(), [gradient], [.existing(slot.value)])
    } else if let present = gradients[value] {
      gradients[value] = append(Add(), [present, gradient], [.new(shape(value))])[0]
    } else {
      gradients[value] = gradient
    }
  }

  /// What the gradient of a product's input goes through in place of its weight; nil where that is the weight itself.
  func feedback(for weight: Value) -> Value? {
    guard case .fixed(.parameters, let offset) = self[weight].residence,
      let parameter = layout.parameters.first(where: { $0.range.lowerBound * 4 == offset })
    else { return nil }
    if !returningWeights.contains(parameter) { returningWeights.append(parameter) }
    return feedback[parameter].map(state)
  }

  /// The two gradients that were added last to make this one, whose sum its only reader forms itself; else it alone.
  func terms(of gradient: Value) -> [Value] {
    guard let sum = instructions.last, sum.isGradient, sum.operation is Add, sum.outputs == [gradient] else {
      return [gradient]
    }
    instructions.removeLast()
    return sum.inputs
  }

  /// Where an operation writes the gradient of an input itself, and whether it must add to what is there.
  public struct GradientSlot {
    /// The value to write.
    public let value: Value
    /// True for the second and later uses of a parameter.
    public let accumulates: Bool
    let owner: Value
    let isParameter: Bool

    /// The output to record.
    public var output: Output { .existing(value) }
  }

  /// The place for the gradient of a parameter, or new memory for that of another value (then call `contribute`).
  public func gradientSlot(of value: Value) -> GradientSlot {
    if case .fixed(.parameters, let offset) = self[value].residence {
      let start = offset / 4
      let accumulates = !writtenGradients.insert(start).inserted
      return GradientSlot(
        value: gradientValue(start, shape(value)), accumulates: accumulates, owner: value, isParameter: true)
    }
    let fresh = add(shape(value), .float32, shape(value).count * 4, .planned, dependsOnParameters: false)
    return GradientSlot(value: fresh, accumulates: false, owner: value, isParameter: false)
  }

  /// Tells that the instruction writing a slot was recorded.
  public func filled(_ slot: GradientSlot) {
    if !slot.isParameter { contribute(slot.value, to: slot.owner) }
  }

  private func gradientValue(_ start: Int, _ shape: Shape) -> Value {
    add(shape, .float32, shape.count * 4, .fixed(.gradients, offset: start * 4), dependsOnParameters: false)
  }
}
