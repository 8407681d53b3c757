import Tensors

/// A copy of what a rank writes to a checkpoint, so that training goes on while the copy is written.  Its memory is kept.
final class Snapshot {
  private var memory = Storage(zeros: 0)
  private var model: ParameterStore?

  /// Copies parts, and a model where there is one; what it gave before must no longer be needed.
  func take(_ parts: [CheckpointPart], model: ParameterStore?) -> (parts: [CheckpointPart], model: ParameterStore?) {
    let count = parts.reduce(0) { $0 + $1.range.count }
    if memory.count < count { memory = Storage(zeros: count) }
    var used = 0
    let copies = parts.map { part in
      let place = memory.base + used
      place.update(from: part.floats, count: part.range.count)
      used += part.range.count
      return part.moved(to: place)
    }
    guard let model else { return (copies, nil) }
    let copy = self.model ?? ParameterStore(model.layout)
    self.model = copy
    copy.parameters.copy(from: model.parameters)
    copy.states.copy(from: model.states)
    return (copies, copy)
  }
}
