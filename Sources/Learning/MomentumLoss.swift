import Configuration
import Layers
import Tensors

/// Losses of what copies of the next block's first layers make.
struct MomentumLossKind: LocalLossKind {
  let blocks: Blocks
  /// What the teacher takes over of the next block in a step.
  let share: Float
  let host: any LocalLossKind

  func make(_ place: LocalPlace, in scope: inout ParameterScope) throws(ConfigurationError) -> any LocalLoss {
    let (model, share) = (place.model, share)
    let piece = blocks.firstPiece(of: place.block + 1, model)
    func copy(_ name: String, _ scope: inout ParameterScope) throws(ConfigurationError) -> Sequential {
      do throws(ConfigurationError) {
        return try scope.nested(name) { (scope: inout ParameterScope) throws(ConfigurationError) in
          try model.fresh(piece, for: place.signal, in: &scope)
        }
      } catch {
        throw ConfigurationError("rule man cannot copy what block \(place.block + 1) begins with: \(error.message)")
      }
    }
    let bias = try copy("bias", &scope)
    let teacher = try scope.following(model.parameters(of: piece), momentum: share) {
      (scope: inout ParameterScope) throws(ConfigurationError) in try copy("teacher", &scope)
    }
    let inner = LocalPlace(
      model: model, objective: place.objective, signal: bias.output, block: place.block, count: place.count,
      name: "\(place.name).host")
    let loss = try scope.nested("host") { (scope: inout ParameterScope) throws(ConfigurationError) in
      try host.make(inner, in: &scope)
    }
    return MomentumLoss(bias: bias, teacher: teacher, scope: place.name, host: loss)
  }
}

/// The loss of one block.
private struct MomentumLoss: LocalLoss {
  let bias: Sequential
  let teacher: Sequential
  let scope: String
  let host: any LocalLoss

  func record(_ made: Value, _ recorder: Recorder) -> [Value] {
    let biased = recorder.scope("\(scope).bias") { bias.record(made, recorder) }
    let taught = recorder.scope("\(scope).teacher") { teacher.record(made, recorder) }
    return host.record(recorder.add(biased, taught), recorder)
  }
}
