import Communication
import Layers
import Learning
import Tensors

/// Parameters of a stage that states of the stage before it follow, such as a moving average of the next block's first layer:
/// they go back once a step.
///
/// A stage's states move by the parameters as they were before the step.  The stage behind has them after its step before,
/// which it ends while this one computes: in a pipeline the numbers are those of one program.
final class FollowedParameters {
  /// Parameters of the stage behind, which states here follow.
  private let wanted: [Range<Int>]
  /// Parameters of this stage, which the stage before follows.
  private let given: [Range<Int>]
  private let receiver: RegisterReceiver?
  private let sender: RegisterSender?
  /// Whether the stage behind has told of a step: until then all hold the same.
  private var hasStepped = false

  init(
    _ grid: StageGrid, _ communicator: any Communicator, _ learning: any ModularLearning, tag: Int
  ) throws(CommunicationError) {
    let layout = learning.model.layout
    func owner(_ name: String) -> Int? {
      learning.modules.firstIndex { $0.owns(name) }.flatMap { module in grid.modules.firstIndex { $0.contains(module) }
      }
    }
    func crossing(from behind: Int, to stage: Int) -> [Range<Int>] {
      var ranges: Set<Range<Int>> = []
      for state in layout.states where owner(state.name) == stage {
        guard case .following(let range, _) = state.motion,
          let parameter = layout.parameters.first(where: { $0.range == range }), owner(parameter.name) == behind
        else { continue }
        ranges.insert(range)
      }
      return ranges.sorted { $0.lowerBound < $1.lowerBound }
    }
    wanted = grid.isLast ? [] : crossing(from: grid.stage + 1, to: grid.stage)
    given = grid.isFirst ? [] : crossing(from: grid.stage, to: grid.stage - 1)
    func bytes(_ ranges: [Range<Int>]) -> Int { ranges.reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride } }
    receiver =
      wanted.isEmpty
      ? nil
      : try RegisterReceiver(
        communicator, from: grid.stage + 1, tag: tag, count: StageLink.registers, byteCount: bytes(wanted))
    sender =
      given.isEmpty
      ? nil
      : RegisterSender(
        communicator, to: grid.stage - 1, tag: tag, count: StageLink.registers, byteCount: bytes(given))
  }

  /// Waits for the parameters after the step before, and writes them to the store.
  func receive(_ store: ParameterStore) throws(CommunicationError) {
    guard let receiver else { return }
    if hasStepped, var source = try receiver.receive()?.baseAddress?.assumingMemoryBound(to: Float.self) {
      for range in wanted {
        (store.parameters.base + range.lowerBound).update(from: source, count: range.count)
        source += range.count
      }
      try receiver.release()
    }
    hasStepped = true
  }

  /// Sends this stage's parameters after a step.
  func send(_ store: ParameterStore) throws(CommunicationError) {
    guard let sender else { return }
    let room = try sender.acquire()
    var target = room.baseAddress!.assumingMemoryBound(to: Float.self)
    for range in given {
      target.update(from: store.parameters.base + range.lowerBound, count: range.count)
      target += range.count
    }
    try sender.send(byteCount: room.count)
  }

  func poll() throws(CommunicationError) {
    try sender?.poll()
    try receiver?.poll()
  }

  func end() throws(CommunicationError) {
    try sender?.end()
  }

  func finish() throws(CommunicationError) {
    try sender?.finish()
    try receiver?.finish()
  }
}
