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
  var instructions: [Instruction] = []
  private var parameterValues: [Int: Value] = [:]
  var gradients: [Value: Value] = [:]
  private var roundings: [Value: Value] = [:]
  private var originals: [Value: Value] = [:]
  var writtenGradients: Set<Int> = []
  var scopes: [String] = []
  private var layers = 0
  var isDifferentiating = false
  private var randomLayers: UInt64 = 0
  /// Whether parts of the program are recorded and differentiated one after the other.
  var isSegmented = false
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
  public var returningWeights: [Parameter] = []
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

  func add(
    _ shape: Shape, _ type: ScalarType, _ bytes: Int, _ residence: Residence, dependsOnParameters: Bool
  ) -> Value {
    values.append(
      ValueDescription(
        shape: shape, type: type, bytes: bytes, residence: residence, dependsOnParameters: dependsOnParameters))
    return Value(index: values.count - 1)
  }
}
