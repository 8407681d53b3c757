import Tensors

/// A named block that an optimizer remembers from step to step; scalar i belongs to parameter `range.lowerBound + i`.
public struct OptimizerState: Sendable {
  /// As the rule names it: `momentum`.
  public let name: String
  /// Its scalars, as many as the optimizer's range.
  public let storage: Storage
}

/// Applies an update rule to a range of the parameter block and owns what the rule remembers about it.
///
/// The range is all parameters, or a rank's shard of them; within it any part may be updated alone (a bucket) and disjoint
/// parts by several threads at once: the bits are those of one update of the whole.  All pointers that are passed in stand
/// for scalar 0 of the whole block, wherever the range starts; only scalars of the range are touched.
///
/// A step is `measure` for all parts, then `update` for all parts.  `measure` does nothing for rules that work scalar by scalar.
public final class Optimizer: Sendable {
  /// How parameters move.
  public let rule: any UpdateRule
  /// Scalars of the parameter block that this optimizer looks after.
  public let range: Range<Int>
  /// What the rule remembers, to be written to checkpoints and restored from them.
  public let states: [OptimizerState]
  /// Norms of whole parameters, which ranks that hold shards exchange between `measure` and `update`; nil unless the rule
  /// is layerwise.
  public let norms: ParameterNorms?

  /// An optimizer of a range (all parameters unless given) that remembers zeros.
  public init(_ rule: any UpdateRule, layout: ParameterLayout, range: Range<Int>? = nil) {
    let range = range ?? 0..<layout.parameterCount
    precondition(
      range.lowerBound >= 0 && range.upperBound <= layout.parameterCount,
      "an optimizer of scalars \(range) of \(layout.parameterCount)")
    self.rule = rule
    self.range = range
    states = rule.stateNames.map { OptimizerState(name: $0, storage: Storage(zeros: range.count)) }
    norms = rule.isLayerwise ? ParameterNorms(layout) : nil
  }

  /// Bytes of all states.
  public var stateBytes: Int { states.count * range.count * MemoryLayout<Float>.stride }

  /// The state of a name, nil when the rule has none.
  public func state(named name: String) -> Storage? { states.first { $0.name == name }?.storage }

  /// Sets scalars of a state: `scalars` of the whole block, of which those outside the optimizer's range are passed over.
  /// A checkpoint written by any number of ranks is restored slice by slice.  Precondition: the rule has such a state.
  public func restore(_ name: String, _ scalars: Range<Int>, from source: UnsafePointer<Float>) {
    guard let storage = state(named: name) else { preconditionFailure("\(type(of: rule).name) has no state \(name)") }
    let kept = scalars.clamped(to: range)
    if kept.isEmpty { return }
    (storage.base + (kept.lowerBound - range.lowerBound))
      .update(from: source + (kept.lowerBound - scalars.lowerBound), count: kept.count)
  }

  /// Forgets everything, as at the start.
  public func reset() {
    for state in states { state.storage.clear() }
  }

  /// Measures what the rule needs to know of whole parameters before any of them moves.  Must cover all parameters that
  /// `update` will touch: by several calls, by several threads, or by several ranks that then exchange ``norms``.
  /// The range is cut at edges of ``ParameterBlocks``.  `step` is that of the update.
  public func measure(
    parameters: UnsafePointer<Float>, gradients: UnsafePointer<Float>, range: Range<Int>, step: Int
  ) {
    norms?.measure(parameters: parameters, gradients: gradients, range: range, step: step)
  }

  /// Moves the parameters of a range in one pass over memory.
  ///
  /// - `step` counts updates from 0; it matters to rules that correct for their start.
  /// - `gradientScale` multiplies every gradient first: what ``GradientNorm`` says for clipping, otherwise 1.
  public func update(
    parameters: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, range part: Range<Int>, step: Int,
    learningRate: Double, gradientScale: Float = 1
  ) {
    precondition(
      part.isEmpty || (part.lowerBound >= range.lowerBound && part.upperBound <= range.upperBound),
      "updating scalars \(part), but the optimizer holds \(range)")
    precondition(step >= 0, "step \(step)")
    func slice(_ part: Range<Int>, _ layer: UpdateSlice.Layer?) -> UpdateSlice {
      UpdateSlice(
        parameters: parameters + part.lowerBound, gradients: gradients + part.lowerBound, count: part.count,
        step: step, learningRate: learningRate, gradientScale: gradientScale, layer: layer, states: states,
        offset: part.lowerBound - range.lowerBound)
    }
    if part.isEmpty { return }
    guard let norms else { return rule.update(slice(part, nil)) }
    for parameter in norms.blocks.parameters(in: part) {
      let scalars = norms.blocks.scalars(ofParameter: parameter).clamped(to: part)
      if scalars.isEmpty { continue }
      rule.update(slice(scalars, norms.layer(parameter, step: step, gradientScale: gradientScale)))
    }
  }
}
