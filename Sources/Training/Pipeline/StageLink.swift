import Communication
import Layers
import Learning
import Optimizers
import Tensors

/// What connects a stage with those before and behind it: activations go forward in registers, whose number bounds how far a
/// stage runs ahead; parameters that a stage follows come back.
///
/// A register holds what a shard's program leaves for the next stage, and a line of what the first stage has decided.
/// Registers are sent before the parameters move, and taken in the order of steps and shards, so that every stage computes
/// what it would compute in one program with all others.  Belongs to the thread that uses the communicators.
final class StageLink {
  /// Registers between two stages: one is filled while the other is read.
  static let registers = 2
  private static let tags = (activations: 0, parameters: 2)
  private static let decisionBytes = 64

  private let grid: StageGrid
  private let communicator: any Communicator
  private let activationBytes: (incoming: Int, outgoing: Int)
  private let learning: any ModularLearning
  private var sender: RegisterSender?
  private var receiver: RegisterReceiver?
  /// Nil until the channels are open.
  private var followed: FollowedParameters?
  /// What the first stage decided in the step before the present one.
  private var decision = Decision(stop: false, due: false)
  private var incoming: UnsafeRawBufferPointer?

  private struct Decision: BitwiseCopyable {
    let stop: Bool
    let due: Bool
  }

  /// Links the stages of one replica, whose largest shards take and leave so many bytes.
  init(
    _ grid: StageGrid, _ communicator: any Communicator, _ learning: any ModularLearning,
    _ activationBytes: (incoming: Int, outgoing: Int)
  ) {
    (self.grid, self.communicator, self.learning, self.activationBytes) = (
      grid, communicator, learning, activationBytes
    )
  }

  /// Opens the channels, before the first step: a run that has no step left opens none.  All stages call it together.
  func open() throws(CommunicationError) {
    if followed != nil { return }
    let (incoming, outgoing) = activationBytes
    // Channels have calls under way from step to step.
    let channels = try communicator.split(color: 0, key: communicator.rank)
    if !grid.isLast {
      sender = RegisterSender(
        channels, to: grid.stage + 1, tag: StageLink.tags.activations, count: StageLink.registers,
        byteCount: outgoing + StageLink.decisionBytes)
    }
    if !grid.isFirst {
      receiver = try RegisterReceiver(
        channels, from: grid.stage - 1, tag: StageLink.tags.activations, count: StageLink.registers,
        byteCount: incoming + StageLink.decisionBytes)
    }
    followed = try FollowedParameters(grid, channels, learning, tag: StageLink.tags.parameters)
  }

  // MARK: Batches

  /// Waits for what the stage before made of the next batch of a shard, and for room for what this one makes of it.
  func begin() throws(CommunicationError) -> (incoming: UnsafeMutableRawPointer?, outgoing: UnsafeMutableRawPointer?) {
    incoming = try receiver?.receive()
    if let incoming, let base = incoming.baseAddress {
      decision = (base + activationBytes.incoming).load(as: Decision.self)
    }
    let outgoing = try sender?.acquire().baseAddress
    return (incoming.flatMap { UnsafeMutableRawPointer(mutating: $0.baseAddress) }, outgoing)
  }

  /// Passes on what was made, and gives back what was read.
  func end() throws(CommunicationError) {
    if let sender {
      let room = try sender.acquire()
      (room.baseAddress! + activationBytes.outgoing).storeBytes(of: decision, as: Decision.self)
      try sender.send(byteCount: room.count)
    }
    if incoming != nil { try receiver?.release() }
    incoming = nil
  }

  /// Moves everything forward.
  func poll() throws(CommunicationError) {
    try sender?.poll()
    try receiver?.poll()
    try followed?.poll()
  }

  // MARK: Steps

  /// The parameters that states of this stage follow, as they were before the step; before the states move.
  func beforeUpdate(_ store: ParameterStore) throws(CommunicationError) { try followed?.receive(store) }

  /// Tells the stage before of the parameters that it follows.
  func afterUpdate(_ store: ParameterStore) throws(CommunicationError) { try followed?.send(store) }

  /// The sums of a step with what holds for all stages: what the first decided in the step before.  Only the last stage's
  /// loss is one.
  func agreed(_ sums: StepSums) -> StepSums {
    let held = decision
    if grid.isFirst { decision = Decision(stop: sums.stop, due: sums.due) }
    return StepSums(loss: sums.loss, correct: sums.correct, stop: held.stop, busy: false, due: held.due)
  }

  /// Tells every stage what the others hold: parameters, states, and what the update rule remembers.  Collective.
  func share(_ store: ParameterStore, _ optimizer: Optimizer) throws(CommunicationError) {
    for (stage, modules) in grid.modules.enumerated() {
      let owners = modules.map { learning.modules[$0] }
      func owns(_ name: String) -> Bool { owners.contains { $0.owns(name) } }
      for parameter in store.layout.parameters where owns(parameter.name) {
        try broadcast(store.parameters.base + parameter.range.lowerBound, parameter.range.count, from: stage)
        for state in optimizer.states {
          try broadcast(state.storage.base + parameter.range.lowerBound, parameter.range.count, from: stage)
        }
      }
      for state in store.layout.states where owns(state.name) && state.motion != .fixed {
        try broadcast(store.states.base + state.range.lowerBound, state.range.count, from: stage)
      }
    }
  }

  private func broadcast(_ scalars: UnsafeMutablePointer<Float>, _ count: Int, from stage: Int)
    throws(CommunicationError)
  {
    try grid.line.broadcast(UnsafeMutableBufferPointer(start: scalars, count: count), root: stage)
  }

  /// Ends the channels, after the last step.
  func finish() throws(CommunicationError) {
    try sender?.end()
    try followed?.end()
    try sender?.finish()
    try receiver?.finish()
    try followed?.finish()
  }
}
