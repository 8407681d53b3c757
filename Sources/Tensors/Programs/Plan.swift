/// A recorded program whose values have places: shared by every rank, shard and client that runs it.
public struct Plan: Sendable {
  /// Samples of a batch.
  public let batch: Int
  /// Names and ranges of the parameters it was recorded with.
  public let layout: ParameterLayout
  /// Bytes of pool memory that a run needs.
  public let poolBytes: Int
  /// Float64 sums that a run reports.
  public let metricCount: Int
  /// Work on parameters alone, such as packing weights: once an update.
  let preparation: [PlannedInstruction]
  /// Everything else: once a batch.
  let step: [PlannedInstruction]
  let results: [(operand: Operand, count: Int)]
  /// For each parameter, in order of declaration, the number of step instructions after which its gradient is final.
  public let gradientReady: [Int]
  /// Where the shards of a batch meet, in order; the same for every batch size of a model.
  public let meetings: [Meeting]
  /// Parameters and states, by their places in the layout, that a run says something about; others get zeros, or nothing.
  public let reached: (parameters: [Int], states: [Int])
  /// Bytes that a run takes from an earlier stage.
  public let incomingBytes: Int
  /// Bytes that a run leaves for a later stage, and the step instructions after which they are there.
  public let outgoing: (bytes: Int, ready: Int)

  struct PlannedInstruction: Sendable {
    let instruction: Instruction
    let lowering: Lowering
    let operands: Operands
    let flops: Int
    let bytes: Int
  }

  /// Instructions in the order in which they run, and their memory.
  private struct Arrangement {
    let sorted: [Instruction]
    /// How many of them depend on parameters alone.
    let preparations: Int
    let lowerings: [Lowering]
    let pool: PoolPlan

    init(_ recorder: Recorder, _ instructions: [Instruction]) {
      let hoisted = recorder.hoistable(instructions)
      let order = instructions.indices.filter { hoisted[$0] } + instructions.indices.filter { !hoisted[$0] }
      sorted = order.map { instructions[$0] }
      preparations = hoisted.filter { $0 }.count
      lowerings = sorted.map { call in
        call.operation.lower(
          call.inputs.map { recorder[$0] }, call.outputs.map { recorder[$0] }, recorder.compute)
      }
      pool = PoolPlan(recorder, sorted, preparations: preparations, scratch: lowerings.map(\.scratchBytes))
    }
  }

  /// Instructions of a step.
  public var stepCount: Int { step.count }

  /// Floating-point operations of a step.
  public var flops: Int { step.reduce(0) { $0 + $1.flops } }

  /// Plans a recording.
  public init(_ recorder: Recorder) {
    let needed = recorder.withoutDeadCode()
    var arrangement = Arrangement(recorder, recorder.roundedEarly(needed))
    if let again = recorder.recomputing(needed) {
      // Making values again can cost more than it saves where few are kept.
      let other = Arrangement(recorder, recorder.roundedEarly(again))
      if other.pool.bytes < arrangement.pool.bytes { arrangement = other }
    }
    let (sorted, lowerings, pool) = (arrangement.sorted, arrangement.lowerings, arrangement.pool)

    var planned: [PlannedInstruction] = []
    for (index, call) in sorted.enumerated() where !call.operation.isView {
      let inputs = call.inputs.map { recorder[$0] }, outputs = call.outputs.map { recorder[$0] }
      planned.append(
        PlannedInstruction(
          instruction: call, lowering: lowerings[index],
          operands: Operands(
            inputs: call.inputs.map(pool.operand), outputs: call.outputs.map(pool.operand),
            scratch: pool.scratch[index]),
          flops: call.operation.flops(inputs, outputs),
          bytes: (inputs + outputs).reduce(0) { $0 + $1.bytes }))
    }
    let prepared = sorted[..<arrangement.preparations].filter { !$0.operation.isView }.count
    preparation = Array(planned[..<prepared])
    step = Array(planned[prepared...])
    batch = recorder.batch
    self.layout = recorder.layout
    poolBytes = pool.bytes
    metricCount = recorder.metricCount
    results = recorder.results.map { (pool.operand($0), recorder.shape($0).count) }

    var reachedOffsets: Set<Int> = []
    for planned in step where !(planned.instruction.operation is Fill) {
      for output in planned.operands.outputs where output.space == Space.gradients.rawValue {
        reachedOffsets.insert(output.offset)
      }
    }
    let layout = recorder.layout
    reached = (
      layout.parameters.indices.filter { reachedOffsets.contains(layout.parameters[$0].range.lowerBound * 4) },
      layout.states.indices.filter { index in
        layout.states[index].statistic.map { reachedOffsets.contains((layout.parameterCount + $0.lowerBound) * 4) }
          ?? false
      }
    )
    var ready = [Int](repeating: 0, count: recorder.layout.parameters.count)
    let starts = Dictionary(
      uniqueKeysWithValues: recorder.layout.parameters.enumerated().map { ($1.range.lowerBound * 4, $0) })
    for (index, planned) in step.enumerated() {
      for output in planned.operands.outputs where output.space == Space.gradients.rawValue {
        if let parameter = starts[output.offset] { ready[parameter] = index + 1 }
      }
    }
    gradientReady = ready
    incomingBytes = recorder.incomingBytes
    let sent = step.lastIndex { $0.operands.outputs.contains { $0.space == Space.outgoing.rawValue } }
    outgoing = (recorder.outgoingBytes, sent.map { $0 + 1 } ?? 0)
    meetings = Plan.meetings(step, recorder)
  }

  /// The meetings whose numbers are read afterwards: nobody waits for those that lead to no gradient.
  private static func meetings(_ step: [PlannedInstruction], _ recorder: Recorder) -> [Meeting] {
    var meetings: [Meeting] = []
    var read: Set<Value> = []
    for (index, planned) in step.enumerated().reversed() {
      let call = planned.instruction
      if let combination = call.operation.meeting, read.contains(call.outputs[0]) {
        meetings.append(
          Meeting(
            combination: combination, count: recorder[call.outputs[0]].bytes / 8, instructions: index + 1,
            place: planned.operands.outputs[0]))
      }
      read.formUnion(call.inputs)
    }
    return meetings.reversed()
  }
}

extension Recorder {
  /// The value whose memory a value shares, and the offset into it.
  func root(_ value: Value) -> (value: Value, offset: Int) {
    var value = value, offset = 0
    while case .view(let parent, let start) = self[value].residence { (value, offset) = (parent, offset + start) }
    return (value, offset)
  }

  /// The instructions that something observable depends on.
  func withoutDeadCode() -> [Instruction] {
    var needed = Set(results.map { root($0).value })
    var kept: [Instruction] = []
    for call in instructions.reversed() {
      let observable = call.outputs.contains { output in
        let root = root(output).value
        if case .fixed = self[root].residence, !call.operation.isView { return true }
        return needed.contains(root)
      }
      guard observable else { continue }
      kept.append(call)
      needed.formUnion(call.inputs.map { root($0).value })
    }
    return kept.reversed()
  }

  /// Which instructions depend on parameters alone, so that they need to run once an update only.
  ///
  /// None of a program in segments: what a segment packs is to be free when the next one begins, or memory would grow with
  /// their number.  It is packed once a shard instead, which takes a small part of what is computed with it.
  func hoistable(_ instructions: [Instruction]) -> [Bool] {
    if isSegmented { return instructions.map { _ in false } }
    var constant: Set<Value> = []
    return instructions.map { call in
      let fromParameters = call.inputs.allSatisfy { input in
        if case .fixed(.parameters, _) = self[root(input).value].residence { return true }
        return constant.contains(root(input).value)
      }
      let planned = call.outputs.allSatisfy {
        if case .planned = self[root($0).value].residence { true } else { false }
      }
      let view = call.operation.isView
      guard !call.inputs.isEmpty, fromParameters, planned || view, !call.operation.staysInStep else { return false }
      constant.formUnion(call.outputs.map { root($0).value })
      return true
    }
  }
}
