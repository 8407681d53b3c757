/// What a program is recorded for.
public enum Mode: Sendable {
  /// Statistics of the batch, dropout, gradients.
  case training
  /// Running statistics, no dropout, no gradients.
  case evaluation
}

/// Records a program once for a batch size and mode.
///
/// Layers call methods of this type, which check shapes and append instructions; nothing is computed.  `Plan` turns the
/// recording into something that runs.
public final class Recorder {
  /// Samples of a batch.
  public let batch: Int
  /// Training or evaluation; what is `frozen` is recorded as for evaluation.
  public private(set) var mode: Mode
  /// Libraries and precision to compute with.
  public let compute: Compute
  /// Parameters and states that the program may refer to.
  public let layout: ParameterLayout

  private(set) var values: [ValueDescription] = []
  private(set) var instructions: [Instruction] = []
  private var parameterValues: [Int: Value] = [:]
  private var gradients: [Value: Value] = [:]
  private var roundings: [Value: Value] = [:]
  private var originals: [Value: Value] = [:]
  private var writtenGradients: Set<Int> = []
  private var scopes: [String] = []
  private var layers = 0
  private var isDifferentiating = false
  private var randomLayers: UInt64 = 0
  /// Whether parts of the program are recorded and differentiated one after the other.
  private(set) var isSegmented = false
  private(set) var metricCount = 0
  /// Where the sums of the reported loss go, while it is recorded.
  private var reportedMetric: Int?
  private(set) var incomingBytes = 0
  private(set) var outgoingBytes = 0
  private(set) var results: [Value] = []
  private var frozenStates: FrozenStates?

  /// States that gradients flow back through in place of weights: feedback alignment.
  public var feedback: [Parameter: ModelState] = [:]
  /// Weights through which gradients have flowed back to the inputs of their products, in the order of recording.
  public private(set) var returningWeights: [Parameter] = []
  /// Whether gradients flow from a step of a recurrence to the one before; else earlier states count as constants.
  public var flowsThroughTime = true

  /// A recorder with nothing in it.
  public init(batch: Int, mode: Mode, layout: ParameterLayout, compute: Compute) {
    precondition(batch > 0, "a program for \(batch) samples")
    self.batch = batch
    self.mode = mode
    self.layout = layout
    self.compute = compute
  }

  // MARK: Values

  /// What is known of a value.
  public subscript(value: Value) -> ValueDescription { values[value.index] }

  /// Shape of a value.
  public func shape(_ value: Value) -> Shape { values[value.index].shape }

  /// The samples of the batch: `[batch] + sample`, or `rows` samples.
  public func input(_ sample: Shape, _ type: ScalarType, rows: Int? = nil) -> Value {
    let shape = sample.batched(rows ?? batch)
    return add(shape, type, shape.count * 4, .fixed(.inputs, offset: 0), dependsOnParameters: false)
  }

  /// What the batch is to be mapped to: `[batch] + sample`.
  public func target(_ sample: Shape, _ type: ScalarType) -> Value {
    let shape = sample.batched(batch)
    return add(shape, type, shape.count * 4, .fixed(.targets, offset: 0), dependsOnParameters: false)
  }

  /// Numbers that the caller of a run brings, the same for all samples: `Executor.Inputs.table`.
  public func table(_ shape: Shape) -> Value {
    add(shape, .float32, shape.count * 4, .fixed(.table, offset: 0), dependsOnParameters: false)
  }

  /// A parameter of the model; of a follower its present scalars among the states, which no gradient reaches.
  public func parameter(_ parameter: Parameter) -> Value {
    if let frozen = frozenStates?[parameter] { return states(frozen.shape, at: frozen.range.lowerBound) }
    let start = parameter.range.lowerBound
    if parameter.isFollower { return states(parameter.shape, at: start) }
    if let known = parameterValues[start] { return known }
    let value = add(
      parameter.shape, .float32, parameter.shape.count * 4, .fixed(.parameters, offset: start * 4),
      dependsOnParameters: true)
    parameterValues[start] = value
    return value
  }

  /// A state of the model, such as a running mean.
  public func state(_ state: ModelState) -> Value {
    let state = frozenStates?[state] ?? state
    return states(state.shape, at: state.range.lowerBound)
  }

  private func states(_ shape: Shape, at start: Int) -> Value {
    add(shape, .float32, shape.count * 4, .fixed(.states, offset: start * 4), dependsOnParameters: false)
  }

  /// Records a model whose parameters and states lie among the states of this program: as in evaluation, and no gradient
  /// flows to them.
  public func frozen<Result>(_ states: FrozenStates, _ record: () -> Result) -> Result {
    let outer = (mode, frozenStates)
    (mode, frozenStates) = (.evaluation, states)
    defer { (mode, frozenStates) = outer }
    return record()
  }

  /// Where this shard's contribution to a state of the model goes.
  public func statistic(_ state: ModelState) -> Value {
    guard let range = state.statistic else { preconditionFailure("\(state.name) moves towards no statistic") }
    return add(
      state.shape, .float32, state.shape.count * 4,
      .fixed(.gradients, offset: (layout.parameterCount + range.lowerBound) * 4), dependsOnParameters: false)
  }

  /// A place for `count` Float64 sums that a run reports; they are numbered in order of recording.
  public func metrics(_ count: Int) -> Value {
    let first = reportedMetric ?? metricCount
    let value = add([count], .opaque, count * 8, .fixed(.metrics, offset: first * 8), dependsOnParameters: false)
    if reportedMetric == nil { metricCount += count } else { reportedMetric = first + count }
    return value
  }

  /// Keeps the first `count` sums for the loss that a step reports, which `reporting` records in whatever place.
  public func reserveReport(_ count: Int) {
    precondition(metricCount == 0, "a report after other sums")
    metricCount = count
  }

  /// Records the loss that a step reports.
  public func reporting<Result>(_ record: () -> Result) -> Result {
    reportedMetric = 0
    defer { reportedMetric = nil }
    return record()
  }

  /// Numbers that another program made, one after the other in the order of recording: `Executor.Inputs.incoming`.
  public func incoming(_ shape: Shape) -> Value {
    defer { incomingBytes += shape.count * 4 }
    return add(
      shape, .float32, shape.count * 4, .fixed(.incoming, offset: incomingBytes), dependsOnParameters: false)
  }

  /// Copies a value to where another program takes it from, one after the other: `Executor.Inputs.outgoing`.
  public func send(_ value: Value) {
    let place = add(
      shape(value), .float32, shape(value).count * 4, .fixed(.outgoing, offset: outgoingBytes),
      dependsOnParameters: false)
    append(Copy(), [value], [.existing(place)])
    outgoingBytes += shape(value).count * 4
  }

  /// The same scalars through which no gradient flows; nothing is moved.
  public func detach(_ value: Value) -> Value {
    guard needsGradient(value) else { return value }
    return append(Detach(), [value], [.detached(value)])[0]
  }

  /// The same scalars in another shape; nothing is moved.
  public func reshape(_ value: Value, _ shape: Shape) -> Value {
    precondition(
      self.shape(value).count == shape.count, "\(self.shape(value)) does not hold the scalars of \(shape)")
    if self.shape(value) == shape { return value }
    return append(Reshape(), [value], [.view(of: value, shape: shape)])[0]
  }

  /// Numbers the random layers that follow from a place of their own, so that a part of a model draws the same numbers
  /// whether or not the parts before it are recorded.
  public func numberRandomLayers(fromBlock block: Int) { randomLayers = UInt64(block) << 20 }

  /// A number that keys the random numbers of one layer.
  func nextRandomLayer() -> UInt64 {
    randomLayers += 1
    return randomLayers
  }

  /// A value as products read it: itself, or a bfloat16 copy that is made once (see `Compute.Precision`).
  ///
  /// Gradients belong to the value itself: `original(of:)`.
  func factor(_ value: Value) -> Value {
    guard compute.precision == .bfloat16, self[value].type == .float32 else { return value }
    if let known = roundings[value] { return known }
    let rounded = append(Rounding(), [value], [.new(shape(value), .bfloat16)])[0]
    (roundings[value], originals[rounded]) = (rounded, value)
    return rounded
  }

  /// The value that a factor is a copy of.
  func original(of factor: Value) -> Value { originals[factor] ?? factor }

  /// Keeps a value until the end of a run, so that it can be read then; results are numbered in order.
  public func result(_ value: Value) { results.append(value) }

  /// Records in the form for evaluation within a program for training: running statistics, which stay where they are, and
  /// no dropout.  What is made so may only be read detached.
  public func evaluating<Result>(_ record: () -> Result) -> Result {
    let outer = mode
    mode = .evaluation
    defer { mode = outer }
    return record()
  }

  // MARK: Instructions

  /// An output to be made by an instruction.
  public enum Output {
    /// Memory that the planner places.
    case new(Shape, ScalarType = .float32)
    /// Memory of a layout that only its maker and readers know.
    case opaque(Shape, bytes: Int)
    /// A value that exists already, such as a gradient of a parameter.
    case existing(Value)
    /// The memory of an input in another shape.
    case view(of: Value, shape: Shape)
    /// The memory of an input, which no gradient leaves.
    case detached(Value)
  }

  /// Appends an instruction and returns its outputs.
  @discardableResult
  public func append(_ operation: any Operation, _ inputs: [Value], _ outputs: [Output]) -> [Value] {
    let depends = inputs.contains { values[$0.index].dependsOnParameters }
    let made = outputs.map { output -> Value in
      switch output {
      case .new(let shape, let type):
        add(shape, type, type.bytes(shape.count), .planned, dependsOnParameters: depends)
      case .opaque(let shape, let bytes): add(shape, .opaque, bytes, .planned, dependsOnParameters: depends)
      case .existing(let value): value
      case .view(let value, let shape):
        add(
          shape, self[value].type, self[value].type.bytes(shape.count), .view(value, offset: 0),
          dependsOnParameters: depends)
      case .detached(let value):
        add(
          shape(value), self[value].type, self[value].bytes, .view(value, offset: 0), dependsOnParameters: false)
      }
    }
    instructions.append(
      Instruction(
        operation: operation, inputs: inputs, outputs: made, scope: scopes.joined(separator: "."),
        layer: scopes.isEmpty || isDifferentiating ? nil : layers, isGradient: isDifferentiating))
    return made
  }

  /// Records under the name of a layer.
  public func scope<Result>(_ name: String, _ record: () -> Result) -> Result {
    if scopes.isEmpty { layers += 1 }
    scopes.append(name)
    defer { scopes.removeLast() }
    return record()
  }

  /// Replaces the instructions recorded so far, as a pass does.
  func rewrite(_ instructions: [Instruction]) { self.instructions = instructions }

  /// A value like another: of the same memory's view if it is a view of `parent`, else placed by the planner.
  func copy(of value: Value, parent: Value? = nil) -> Value {
    let known = self[value]
    var residence = Residence.planned
    if case .view(let old, let offset) = known.residence { residence = .view(parent ?? old, offset: offset) }
    return add(known.shape, known.type, known.bytes, residence, dependsOnParameters: known.dependsOnParameters)
  }

  /// Changes how the scalars of a planned value are stored, as a pass does.
  func store(_ value: Value, as type: ScalarType) {
    let known = self[value]
    values[value.index] = ValueDescription(
      shape: known.shape, type: type, bytes: type.bytes(known.shape.count), residence: known.residence,
      dependsOnParameters: known.dependsOnParameters)
  }

  private func add(
    _ shape: Shape, _ type: ScalarType, _ bytes: Int, _ residence: Residence, dependsOnParameters: Bool
  ) -> Value {
    values.append(
      ValueDescription(
        shape: shape, type: type, bytes: bytes, residence: residence, dependsOnParameters: dependsOnParameters))
    return Value(index: values.count - 1)
  }

  // MARK: Gradients

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

  /// Gives zeros to the parameters that nothing has reached; the last of the gradients.
  public func fillGradients() {
    isDifferentiating = true
    defer { isDifferentiating = false }
    for parameter in layout.parameters where writtenGradients.insert(parameter.range.lowerBound).inserted {
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
